import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parsePosition, parseRange } from './positions.ts'

test('a record is its partition and offset, also as the header ferry-record has it', () => {
  expect(parsePosition('3/1042')).toEqual({ partition: 3, offset: 1042n })
  expect(parsePosition('orders.v1/3/1042')).toEqual({ partition: 3, offset: 1042n })
  for (const wrong of ['3', '3/', '/3', 'a/b', '-1/2', '3/1042/5/6', '99999999999/1', '3/99999999999999999999', '9999999999/1'])
    expect(() => parsePosition(wrong), wrong).toThrow(/is no record|at most/)
})

test('a range has its last record, and ends in the offset after it', () => {
  expect(parseRange('3')).toEqual({ partition: 3, from: undefined, to: undefined })
  expect(parseRange('3/7')).toEqual({ partition: 3, from: 7n, to: 8n })
  expect(parseRange('3/7-')).toEqual({ partition: 3, from: 7n, to: undefined })
  fc.assert(
    fc.property(fc.nat(1e6), fc.nat(1e6), (from, more) => {
      expect(parseRange(`0/${from}-${from + more}`)).toEqual({ partition: 0, from: BigInt(from), to: BigInt(from + more + 1) })
    }),
  )
  expect(() => parseRange('3/7-6')).toThrow('ends before it begins')
  for (const wrong of ['', '3/', '3/-5', '3/a', '3-4', '3/1-2-3']) expect(() => parseRange(wrong), wrong).toThrow('is no range')
})
