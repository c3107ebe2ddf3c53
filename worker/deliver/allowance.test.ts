import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Allowance, CREDIT_MS } from './allowance.ts'

const startMs = 1_000_000

describe('an allowance', () => {
  const steps = fc.array(
    fc.record({
      waitMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 50, noNaN: true }), fc.integer({ min: 0, max: 20_000 })),
      cost: fc.integer({ min: 1, max: 1000 }),
      rate: fc.option(fc.double({ min: 0, max: 5000, noNaN: true }), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 200 },
  )

  test('spends in no stretch of time more than it earns in it, the credit and one start', () => {
    fc.assert(
      fc.property(steps, fc.double({ min: 0.01, max: 5000, noNaN: true }), (story, firstRate) => {
        const allowance = new Allowance(firstRate, startMs, 1)
        let [nowMs, perMs, earned] = [startMs, firstRate / 1000, 0]
        // What each start found earned so far, and the largest rate up to then.
        const starts: { earned: number; cost: number }[] = []
        let creditMax = perMs * CREDIT_MS
        for (const { waitMs, cost, rate } of story) {
          nowMs += waitMs
          earned += waitMs * perMs
          if (rate !== undefined) {
            allowance.setRate(rate, nowMs)
            perMs = rate / 1000
            creditMax = Math.max(creditMax, perMs * CREDIT_MS)
          }
          if (!allowance.mayStart(nowMs)) continue
          allowance.spend(cost, nowMs)
          starts.push({ earned, cost })
        }
        for (let first = 0; first < starts.length; first++) {
          let spent = 0
          for (let last = first; last < starts.length; last++) {
            const allowed = starts[last]!.earned - starts[first]!.earned + creditMax
            // The last start alone may go into debt.
            expect(spent).toBeLessThanOrEqual(allowed + 1e-6 * (1 + allowed))
            spent += starts[last]!.cost
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  test.each([
    [0.5, 60_000, 30],
    [1, 10_000, 10],
    [200, 10_000, 2000],
    [15_000, 2000, 30_000],
  ])('of %f a second gives all that it promises, asked every 20 ms', (perSecond, lengthMs, expected) => {
    const allowance = new Allowance(perSecond, startMs, 1)
    let count = 0
    for (let nowMs = startMs; nowMs <= startMs + lengthMs; nowMs += 20) {
      while (allowance.mayStart(nowMs)) {
        allowance.spend(1, nowMs)
        count++
      }
    }
    expect(count).toBeGreaterThanOrEqual(expected * 0.99)
    expect(count).toBeLessThanOrEqual(expected + perSecond * (CREDIT_MS / 1000) + 1)
  })

  test('makes up for idle time only up to its credit', () => {
    const allowance = new Allowance(100, startMs, 1)
    let count = 0
    while (allowance.mayStart(startMs + 3_600_000)) {
      allowance.spend(1, startMs + 3_600_000)
      count++
    }
    expect(count).toBe(11)
  })

  test('lets through what costs more than a second gives, and the next when it is paid for', () => {
    const allowance = new Allowance(1000, startMs, 0)
    expect(allowance.mayStart(startMs)).toBe(true)
    allowance.spend(5000, startMs)
    expect(allowance.mayStart(startMs + 4999)).toBe(false)
    expect(allowance.mayStart(startMs + 5001)).toBe(true)
  })

  test('owes when its rate changes what it owed before', () => {
    const allowance = new Allowance(10, startMs, 0)
    allowance.spend(10, startMs)
    allowance.setRate(100, startMs)
    expect(allowance.mayStart(startMs + 99)).toBe(false)
    expect(allowance.mayStart(startMs + 101)).toBe(true)
    allowance.setRate(0, startMs + 101)
    expect(allowance.mayStart(startMs + 1e9)).toBe(false)
  })

  test('earns nothing when the clock goes back, and lets nothing through twice', () => {
    const allowance = new Allowance(10, startMs, 0)
    allowance.spend(1, startMs)
    expect(allowance.mayStart(startMs - 10_000)).toBe(false)
    expect(allowance.mayStart(startMs + 50)).toBe(false)
    expect(allowance.mayStart(startMs + 101)).toBe(true)
  })
})
