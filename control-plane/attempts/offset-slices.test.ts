import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { packSlices, type Slice } from './offset-slices.ts'

const ranges = fc
  .array(fc.record({ from: fc.nat(50), length: fc.nat(60) }), { maxLength: 8 })
  .map((list) => list.map(({ from, length }, partition) => ({ partition, from, to: from + length })))

const offsetsOf = (slices: readonly Slice[]): string[] =>
  slices.flatMap(({ partition, from, to }) => Array.from({ length: to - from }, (_, index) => `${partition}/${from + index}`))

test('the groups hold every offset once, in order, and none is too large', () => {
  fc.assert(
    fc.property(ranges, fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 4 }), (given, offsetsMax, slicesMax) => {
      const groups = packSlices(given, offsetsMax, slicesMax)
      expect(groups.flatMap(offsetsOf)).toEqual(offsetsOf(given))
      for (const group of groups) {
        expect(offsetsOf(group).length).toBeLessThanOrEqual(offsetsMax)
        expect(group.length).toBeLessThanOrEqual(slicesMax)
        expect(new Set(group.map((slice) => slice.partition)).size).toBe(group.length)
      }
    }),
  )
})
