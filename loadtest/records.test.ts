import { createFileRegistry, fromBinary, toJson } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bodyMaker } from './body-maker.ts'
import { buildDescriptorSet, orderMessageName } from './order-message.ts'
import { keyOf, partitionOf, valueMaker } from './records.ts'

const number = fc.integer({ min: 0, max: 99_999_999 })

test('every JSON record has 512 bytes, and consumers send the same bytes', () => {
  const { pass, rewrite } = bodyMaker('json')
  fc.assert(
    fc.property(number, (each) => {
      const value = valueMaker('json')(each)
      expect(value.length).toBe(512)
      expect(JSON.parse(value.toString()).id).toBe(each)
      expect(pass(value)).toEqual(value)
      expect(rewrite(value)).toBe(value.toString())
    }),
  )
})

test('every row has 200 bytes', () => {
  fc.assert(
    fc.property(number, (each) => {
      const value = valueMaker('row')(each)
      expect([value.length, JSON.parse(value.toString()).id]).toEqual([200, each])
    }),
  )
})

test('every protobuf record has about 465 bytes, and consumers send what Ferry reads by the descriptor set', () => {
  const { pass, rewrite } = bodyMaker('protobuf')
  const makeValue = valueMaker('protobuf')
  const schema = createFileRegistry(fromBinary(FileDescriptorSetSchema, buildDescriptorSet())).getMessage(orderMessageName)!
  expect(schema.fields).toHaveLength(21)
  fc.assert(
    fc.property(number, (each) => {
      const value = makeValue(each)
      expect(Math.abs(value.length - 465)).toBeLessThan(20)
      const { id, createdMs, lines, status, token } = toJson(schema, fromBinary(schema, value)) as Record<string, unknown>
      expect(JSON.parse(rewrite(value))).toMatchObject({ id, createdMs, lines, status, token })
      expect(pass(value)).toBe(rewrite(value))
    }),
  )
})

test('a key stays on its partition', () => {
  fc.assert(
    fc.property(number, number, (one, other) => {
      if (keyOf(one) === keyOf(other)) expect(partitionOf(one)).toBe(partitionOf(other))
      const later = one + 10_000
      expect([keyOf(later), partitionOf(later)]).toEqual([keyOf(one), partitionOf(one)])
    }),
  )
})
