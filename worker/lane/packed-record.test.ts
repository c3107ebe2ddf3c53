import fc from 'fast-check'
import { expect, test } from 'vitest'
import { packRecord, unpackRecord } from './packed-record.ts'

const bytes = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each))
const record = fc.record({
  offset: fc.nat().map(String),
  key: fc.option(bytes),
  value: fc.option(bytes),
  timestamp: fc.nat({ max: 2 ** 42 }).map(String),
  headers: fc.dictionary(
    fc.string({ unit: 'binary', maxLength: 40 }).filter((name) => name !== '__proto__'),
    fc.oneof(bytes, fc.array(bytes, { minLength: 2, maxLength: 3 })),
  ),
})

test('a packed record is read back as it was, and does not share its memory', () => {
  fc.assert(
    fc.property(record, (each) => {
      const packed = packRecord(each)
      const copy = structuredClone({ ...each, headers: Object.entries(each.headers) })
      for (const part of [each.key, each.value]) part?.fill(0)
      const found = unpackRecord(packed, Number(each.offset))
      expect(found.offset).toBe(copy.offset)
      expect(found.timestamp).toBe(copy.timestamp)
      expect(found.key === null ? null : [...found.key]).toEqual(copy.key === null ? null : [...copy.key])
      expect(found.value === null ? null : [...found.value]).toEqual(copy.value === null ? null : [...copy.value])
      expect(Object.keys(found.headers)).toEqual(copy.headers.map(([name]) => name))
      expect(Object.values(found.headers).map(plain)).toEqual(copy.headers.map(([, value]) => plain(value)))
    }),
  )
})

const plain = (value: unknown): unknown => (Array.isArray(value) ? value.map(plain) : [...(value as Uint8Array)])

test('text in headers is packed as its bytes', () => {
  const packed = packRecord({ offset: '1', key: null, value: null, timestamp: '5', headers: { a: 'ä', b: undefined } })
  expect({ ...unpackRecord(packed, 1).headers }).toEqual({ a: Buffer.from('ä'), b: Buffer.alloc(0) })
})

test('bytes that are no packed record are refused', () => {
  const packed = packRecord({ offset: '1', key: Buffer.from('key'), value: Buffer.from('value'), timestamp: '5', headers: {} })
  for (let length = 0; length < packed.length; length++)
    expect(() => unpackRecord(packed.subarray(0, length), 1), `${length} bytes`).toThrow(RangeError)
})
