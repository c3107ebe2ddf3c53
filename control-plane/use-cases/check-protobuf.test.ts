import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ProtobufDecodeSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { checkProtobufDecode } from './check-protobuf.ts'
import { sampleDescriptorSet, sampleMessage } from './sample-use-case.ts'

const check = (message: string, set: Uint8Array) => checkProtobufDecode(create(ProtobufDecodeSchema, { message }), set)

test('a message of a complete set is right, in whatever order its files are', () => {
  expect(check(sampleMessage, sampleDescriptorSet())).toEqual([])
  const set = fromBinary(FileDescriptorSetSchema, sampleDescriptorSet())
  set.file.reverse()
  expect(check(sampleMessage, toBinary(FileDescriptorSetSchema, set))).toEqual([])
})

test('a missing import is named, with what would bring it', () => {
  const [violation] = check(sampleMessage, sampleDescriptorSet(['google/protobuf/duration.proto']))
  expect(violation).toMatchObject({ field: 'use_case.spec.decode.protobuf.descriptor_set', reason: 'DESCRIPTOR_SET_INCOMPLETE' })
  expect(violation!.description).toContain('google/protobuf/duration.proto')
  expect(violation!.description).toContain('--include_imports')
})

test('an unknown message is answered with those that are meant', () => {
  const [violation] = check('ferry.v1.UseCas', sampleDescriptorSet())
  expect(violation).toMatchObject({
    reason: 'MESSAGE_UNKNOWN',
    description: expect.stringContaining('did you mean ferry.v1.UseCase'),
  })
})

test('an enum is no message', () => {
  expect(check('ferry.v1.Ordering', sampleDescriptorSet())[0]).toMatchObject({ reason: 'MESSAGE_UNKNOWN' })
})

test('what is no descriptor set is a violation, never a crash', () => {
  expect(check('a.B', new TextEncoder().encode('syntax = "proto3";'))[0]!.reason).toBe('DESCRIPTOR_SET_INVALID')
  expect(check('a.B', new Uint8Array())[0]!.reason).toBe('DESCRIPTOR_SET_INVALID')
  const whole = sampleDescriptorSet()
  fc.assert(
    fc.property(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const broken = whole.slice()
      broken[at] = byte
      for (const violation of check(sampleMessage, broken)) expect(violation.description).not.toBe('')
    }),
    { numRuns: 300 },
  )
})

test('files that import each other are refused', () => {
  const set = create(FileDescriptorSetSchema, {
    file: [
      { name: 'a.proto', dependency: ['b.proto'] },
      { name: 'b.proto', dependency: ['a.proto'] },
    ],
  })
  expect(check('a.B', toBinary(FileDescriptorSetSchema, set))[0]).toMatchObject({ reason: 'DESCRIPTOR_SET_INVALID' })
})
