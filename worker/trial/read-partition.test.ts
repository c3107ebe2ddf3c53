import fc from 'fast-check'
import { expect, test } from 'vitest'
import { recordBytes } from '../source/kafka-record.ts'
import { Found } from './read-partition.ts'

const record = (offset: number, bytes: number) => ({
  ...{ offset: String(offset), timestamp: '0', key: null, headers: {}, value: Buffer.alloc(bytes) },
})

test('so many records are kept, and so large ones, the first or the last; one always', () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 30 })
  const limits = { recordsMax: fc.integer({ min: 1, max: 10 }), bytesMax: fc.integer({ min: 1, max: 20_000 }) }
  fc.assert(
    fc.property(sizes, fc.record(limits), fc.constantFrom('FIRST', 'LAST'), (given, { recordsMax, bytesMax }, keeps) => {
      const all = given.map((bytes, offset) => record(offset, bytes))
      const found = new Found(all.length, { recordsMax, bytesMax, keeps })
      for (const each of all) found.add(each)
      const ordered = keeps === 'FIRST' ? all : [...all].reverse()
      let bytes = 0
      let count = 0
      for (const each of ordered.slice(0, recordsMax)) {
        bytes += recordBytes(each)
        if (count > 0 && bytes > bytesMax) break
        count++
      }
      const expected = ordered.slice(0, count).sort((a, b) => Number(a.offset) - Number(b.offset))
      expect(found.records).toEqual(expected)
    }),
  )
})

test('nothing at or after the end is taken, and what is left out for its size is said', () => {
  const found = new Found(2, { recordsMax: 10, bytesMax: 10_000, keeps: 'LAST' })
  for (const offset of [0, 1, 2]) found.add(record(offset, 1))
  expect([found.records.map(({ offset }) => offset), found.isCut]).toEqual([['0', '1'], false])
  const large = new Found(9, { recordsMax: 10, bytesMax: 10_000, keeps: 'FIRST' })
  for (const offset of [0, 1, 2]) large.add(record(offset, 6000))
  expect([large.records.map(({ offset }) => offset), large.isCut, large.isFull]).toEqual([['0'], true, true])
})
