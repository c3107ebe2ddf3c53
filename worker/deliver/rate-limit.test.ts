import { create } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DeliveryPolicySchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { compileRate } from './compile-rate.ts'
import { changedRate, RateLimit, type RatePlan } from './rate-limit.ts'

const whole = 1_000_000
const records = (recordsPerSecond: number): RatePlan => ({ recordsPerSecond, bytesPerSecond: undefined })

/** Sends all that it may, asked every 20 ms. */
function run(rate: RateLimit, fromMs: number, lengthMs: number, bytes = 10): number {
  let count = 0
  for (let nowMs = fromMs; nowMs < fromMs + lengthMs; nowMs += 20) {
    while (rate.mayStart(nowMs)) {
      rate.sent(1, bytes, nowMs)
      count++
    }
  }
  return count
}

describe('a rate limit', () => {
  test('of several workers gives together what was asked for', () => {
    const shares = [500_000, 333_333, 166_667]
    const counts = shares.map((ppm) => run(new RateLimit(records(200), ppm, 0), 0, 10_000))
    const sum = counts.reduce((total, each) => total + each, 0)
    expect(sum).toBeGreaterThan(1970)
    expect(sum).toBeLessThanOrEqual(2000 + 20 + shares.length)
  })

  test('of records and bytes goes by what is less', () => {
    const plan = { recordsPerSecond: 100, bytesPerSecond: 1000 }
    expect(run(new RateLimit(plan, whole, 0), 0, 10_000, 2)).toBeLessThanOrEqual(1011)
    expect(run(new RateLimit(plan, whole, 0), 0, 10_000, 2)).toBeGreaterThan(980)
    expect(run(new RateLimit(plan, whole, 0), 0, 10_000, 100)).toBeLessThanOrEqual(102)
    expect(run(new RateLimit(plan, whole, 0), 0, 10_000, 100)).toBeGreaterThan(98)
  })

  test('sends no more however often its workers end and begin again', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 500, noNaN: true }), fc.integer({ min: 20, max: 3000 }), (perSecond, lifeMs) => {
        let count = 0
        for (let atMs = 0; atMs < 20_000; atMs += lifeMs)
          count += run(new RateLimit(records(perSecond), whole, atMs), atMs, lifeMs)
        expect(count).toBeLessThanOrEqual(perSecond * (20 + lifeMs / 1000) + 1)
      }),
      { numRuns: 50 },
    )
  })

  test('counts the records of a request that has several', () => {
    const rate = new RateLimit(records(100), whole, 0)
    expect(rate.mayStart(1000)).toBe(true)
    rate.sent(50, 1, 1000)
    expect(rate.mayStart(1350)).toBe(false)
    expect(rate.mayStart(1401)).toBe(true)
  })

  test('without a share lets nothing through, and says what it is', () => {
    const rate = new RateLimit({ recordsPerSecond: 0.5, bytesPerSecond: 3000 }, 0, 0)
    expect(run(rate, 0, 10_000)).toBe(0)
    expect(rate.text).toBe('rate_limit: this worker sends 0 of 0.5 records a second and 0 of 3000 bytes a second')
    rate.change({ recordsPerSecond: 0.5, bytesPerSecond: undefined }, 333_334, 10_000)
    expect(rate.text).toBe('rate_limit: this worker sends 0.166667 of 0.5 records a second')
    expect(run(rate, 10_000, 60_000)).toBeGreaterThanOrEqual(9)
  })

  test('holds back while it refuses, and a second longer', () => {
    const rate = new RateLimit(records(10), whole, 0)
    expect(rate.holdsBack(0)).toBe(false)
    expect(rate.mayStart(0)).toBe(false)
    expect(rate.holdsBack(999)).toBe(true)
    expect(rate.mayStart(200)).toBe(true)
    expect(rate.holdsBack(1000)).toBe(false)
  })

  test('that changes keeps what is owed; taken away it is forgotten', () => {
    const rate = changedRate(undefined, records(1), whole, 0)!
    rate.mayStart(1000)
    rate.sent(1, 0, 1000)
    expect(changedRate(rate, records(2), whole, 1000)).toBe(rate)
    expect(rate.mayStart(1499)).toBe(false)
    expect(rate.mayStart(1501)).toBe(true)
    expect(changedRate(rate, undefined, whole, 2000)).toBeUndefined()
  })
})

describe('compileRate', () => {
  const compile = (rateLimit?: { recordsPerSecond?: number; bytesPerSecond?: number }) =>
    compileRate(create(DeliveryPolicySchema, rateLimit === undefined ? {} : { rateLimit }))

  test('takes either, both or none', () => {
    expect(compileRate(undefined)).toBeUndefined()
    expect(compile()).toBeUndefined()
    expect(compile({ recordsPerSecond: 0.5 })).toEqual({ recordsPerSecond: 0.5, bytesPerSecond: undefined })
    expect(compile({ recordsPerSecond: 5, bytesPerSecond: 7 })).toEqual({ recordsPerSecond: 5, bytesPerSecond: 7 })
  })

  test('refuses a limit that is none', () => {
    expect(() => compile({})).toThrow(/spec.delivery.rate_limit/)
    expect(() => compile({ recordsPerSecond: 0 })).toThrow(/records_per_second/)
  })
})
