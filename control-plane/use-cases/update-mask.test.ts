import { create, equals } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type UseCaseSpec, UseCaseSpecSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { protobufDecode, sampleSpec } from './sample-use-case.ts'
import { applyMask, maskPathsMax } from './update-mask.ts'

const stored = sampleSpec({
  description: 'old',
  destination: { url: 'http://old/', headers: { a: '1' }, requestTimeout: durationFromMs(1000) },
  retry: { maxRetries: 3, successStatus: ['200'] },
})
const given = sampleSpec({
  description: 'new',
  destination: { url: 'http://new/', headers: { b: '2' } },
  delivery: { maxInFlight: 8 },
})

function masked(paths: string[], from: UseCaseSpec | undefined = given): UseCaseSpec {
  const result = applyMask(stored, from, paths)
  if ('violations' in result) throw new Error(result.violations[0]!.description)
  return result.spec
}

test('without a mask, and with spec or *, the whole spec is replaced', () => {
  for (const paths of [[], ['spec'], ['*'], ['spec.retry', 'spec']]) expect(masked(paths)).toEqual(given)
})

test('only what is named changes', () => {
  const spec = masked(['spec.destination.url', 'spec.delivery.max_in_flight'])
  expect(spec.destination).toMatchObject({ url: 'http://new/', headers: { a: '1' }, requestTimeout: durationFromMs(1000) })
  expect(spec.delivery).toMatchObject({ maxInFlight: 8 })
  expect(spec.retry).toEqual(stored.retry)
  expect(spec.description).toBe('old')
})

test('what is named and not given is cleared', () => {
  expect(masked(['spec.retry']).retry).toBeUndefined()
  expect(masked(['spec.retry.max_retries']).retry).toMatchObject({ successStatus: ['200'] })
  expect(masked(['spec.retry.max_retries']).retry!.maxRetries).toBeUndefined()
  expect(masked(['spec.destination.request_timeout']).destination!.requestTimeout).toBeUndefined()
  expect(masked(['spec.retry'], undefined).retry).toBeUndefined()
})

test('lists and maps are replaced whole', () => {
  expect(masked(['spec.destination.headers']).destination!.headers).toEqual({ b: '2' })
  expect(masked(['spec.retry.success_status']).retry!.successStatus).toEqual([])
})

test('naming a member of a oneof that is given takes the place of the other', () => {
  const other = sampleSpec({ decode: protobufDecode(new Uint8Array([1])) })
  expect(masked(['spec.decode.protobuf'], other).decode).toEqual(other.decode)
})

test('new descriptor bytes replace the hash of the old ones', () => {
  const old = sampleSpec({
    decode: { format: { case: 'protobuf', value: { descriptorSetSha256: 'a'.repeat(64), message: 'a.B' } } },
  })
  const result = applyMask(old, sampleSpec({ decode: protobufDecode(new Uint8Array([1])) }), [
    'spec.decode.protobuf.descriptor_set',
  ])
  expect('spec' in result && result.spec.decode!.format.value).toMatchObject({
    descriptorSet: new Uint8Array([1]),
    descriptorSetSha256: '',
    message: 'a.B',
  })
})

test('a new Avro schema replaces the hash of the old one', () => {
  const old = sampleSpec({ decode: { format: { case: 'avro', value: { schemaSha256: 'a'.repeat(64) } } } })
  const given = sampleSpec({ decode: { format: { case: 'avro', value: { schema: '"int"' } } } })
  const result = applyMask(old, given, ['spec.decode.avro.schema'])
  expect('spec' in result && result.spec.decode!.format.value).toMatchObject({ schema: '"int"', schemaSha256: '' })
})

test('paths that lead nowhere are refused, all of them', () => {
  const wrong = [
    'name',
    'spec.nothing',
    'spec.destination.headers.a',
    'spec.retry.max_elapsed_time.seconds',
    'status.state',
    'spec.',
  ]
  const result = applyMask(stored, given, ['spec.retry', ...wrong])
  expect('violations' in result && result.violations.length).toBe(wrong.length)
})

test('a mask applied twice is applied once, and the arguments stay as they are', () => {
  const paths = ['description', 'source', 'destination', 'destination.url', 'delivery', 'retry.max_retries', 'log', 'decode.json']
  const before = create(UseCaseSpecSchema, stored)
  fc.assert(
    fc.property(fc.subarray(paths), (names) => {
      const mask = names.map((name) => `spec.${name}`)
      const once = masked(mask)
      const twice = applyMask(once, given, mask)
      expect('spec' in twice && equals(UseCaseSpecSchema, twice.spec, once)).toBe(true)
      expect(equals(UseCaseSpecSchema, stored, before)).toBe(true)
    }),
  )
})

test('a mask of more paths than there are fields is refused before anything is copied', () => {
  const paths = Array.from({ length: maskPathsMax + 1 }, () => 'spec.retry')
  expect(applyMask(stored, stored, paths)).toMatchObject({ violations: [{ field: 'update_mask', reason: 'UPDATE_MASK_PATH' }] })
})
