import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { divideInFlight, laneShares } from './shares.ts'

const limits = fc.integer({ min: 1, max: 4096 })
const holders = fc
  .array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 })
  .map((lanes) => new Map(lanes.map((count, index) => [`worker-${index}`, count])))

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, each) => total + each, 0)

describe('divideInFlight', () => {
  test('nobody is left without, and together they have the limit or one each', () => {
    fc.assert(
      fc.property(limits, holders, (limit, held) => {
        const shares = divideInFlight(limit, held)
        expect(Math.min(...shares.values())).toBeGreaterThanOrEqual(1)
        expect(sum(shares.values())).toBe(Math.max(limit, held.size))
      }),
    )
  })

  test('who holds more lanes has no smaller share', () => {
    fc.assert(
      fc.property(limits, holders, (limit, held) => {
        const shares = divideInFlight(limit, held)
        for (const [a, lanesOfA] of held) {
          for (const [b, lanesOfB] of held) {
            if (lanesOfA > lanesOfB) expect(shares.get(a)!).toBeGreaterThanOrEqual(shares.get(b)!)
          }
        }
      }),
    )
  })

  test('where everybody has more than one, a share is the proportion to within two', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 20 }),
        (times, lanes) => {
          const total = sum(lanes)
          const limit = times * total
          const held = new Map(lanes.map((count, index) => [`worker-${index}`, count]))
          for (const [holder, share] of divideInFlight(limit, held)) {
            expect(Math.abs(share - (limit * held.get(holder)!) / total)).toBeLessThanOrEqual(2)
          }
        },
      ),
    )
  })

  test('the same lanes in another order have the same shares', () => {
    fc.assert(
      fc.property(limits, holders, (limit, held) => {
        const shares = divideInFlight(limit, held)
        expect([...divideInFlight(limit, new Map([...held].reverse()))].sort()).toEqual([...shares].sort())
      }),
    )
  })
})

describe('laneShares', () => {
  test('together the lanes have what the use case may park, or one delivery each', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e7 }),
        fc.integer({ min: 0, max: 2 ** 40 }),
        fc.integer({ min: 1, max: 300 }),
        (count, bytes, lanes) => {
          const shares = Array.from({ length: lanes }, (_, index) => laneShares(count, bytes, lanes, index))
          expect(sum(shares.map((each) => each.parkedMax))).toBe(Math.max(count, lanes))
          expect(sum(shares.map((each) => each.parkedBytesMax))).toBe(bytes)
          expect(Math.min(...shares.map((each) => each.parkedMax))).toBeGreaterThanOrEqual(1)
        },
      ),
    )
  })

  test('credit is a hundred over the lanes, and never below ten', () => {
    expect(laneShares(1, 0, 1, 0).creditMax).toBe(100)
    expect(laneShares(1, 0, 4, 0).creditMax).toBe(25)
    expect(laneShares(1, 0, 64, 0).creditMax).toBe(10)
  })
})
