import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  baseWaitMs,
  type FailedAttempt,
  nextAttempt,
  nextExhaustedAttempt,
  OUT_OF_RETRIES,
  OUT_OF_TIME,
  type RetryPlan,
} from './retry-policy.ts'

const hourMs = 3_600_000
const standard: RetryPlan = {
  initialMs: 5000,
  coefficient: 2,
  maximumMs: hourMs,
  jitterFrom: 0.8,
  jitterTo: 1.2,
  maxRetries: Number.POSITIVE_INFINITY,
  maxElapsedMs: 24 * hourMs,
  scheduleMs: undefined,
  retryAfterMaxMs: hourMs,
}
const firstMs = 1_760_000_000_000

const failed = (given: Partial<FailedAttempt>): FailedAttempt => ({
  attempts: 1,
  firstMs,
  nowMs: firstMs,
  retryAfterMs: undefined,
  random: 0.5,
  ...given,
})
const waitMs = (plan: RetryPlan, given: Partial<FailedAttempt>): number => {
  const one = failed(given)
  return nextAttempt(plan, one) - one.nowMs
}

describe('exponential waits', () => {
  test('double from the initial interval to the maximum', () => {
    const waits = Array.from({ length: 12 }, (_, i) => baseWaitMs(standard, i + 1) / 1000)
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600])
  })

  test('jitter spreads a wait over plus and minus its share', () => {
    expect([0, 0.5, 1].map((random) => waitMs(standard, { random }))).toEqual([4000, 5000, 6000])
  })

  test('full jitter draws from nothing to the whole wait', () => {
    expect([0, 0.5, 1].map((random) => waitMs({ ...standard, jitterFrom: 0, jitterTo: 1 }, { random }))).toEqual([0, 2500, 5000])
  })

  test('at the maximum the spread lies below it', () => {
    expect([0, 0.5, 1].map((random) => waitMs(standard, { attempts: 11, random }))).toEqual([2_880_000, 3_240_000, hourMs])
  })
})

test('a schedule gives the waits one by one and then ends', () => {
  const plan = { ...standard, scheduleMs: [1000, 60_000, 2000], maximumMs: 60_000, maxRetries: 3 }
  expect([1, 2, 3].map((attempts) => waitMs(plan, { attempts }))).toEqual([1000, 60_000, 2000])
  expect(waitMs(plan, { attempts: 2, random: 1 })).toBe(72_000)
  expect(nextAttempt(plan, failed({ attempts: 4 }))).toBe(OUT_OF_RETRIES)
})

test('max_retries 0 means one attempt', () => {
  expect(nextAttempt({ ...standard, maxRetries: 0 }, failed({}))).toBe(OUT_OF_RETRIES)
})

test('an attempt may be planned exactly at max_elapsed_time, not a millisecond later', () => {
  const nowMs = firstMs + 24 * hourMs - 5000
  expect(nextAttempt(standard, failed({ nowMs }))).toBe(firstMs + 24 * hourMs)
  expect(nextAttempt(standard, failed({ nowMs: nowMs + 1 }))).toBe(OUT_OF_TIME)
})

test('Retry-After raises a wait up to its limit and never lowers one', () => {
  expect(waitMs(standard, { retryAfterMs: 60_000 })).toBe(60_000)
  expect(waitMs(standard, { retryAfterMs: 1 })).toBe(5000)
  expect(waitMs(standard, { retryAfterMs: Number.POSITIVE_INFINITY })).toBe(hourMs)
  expect(waitMs({ ...standard, retryAfterMaxMs: 0 }, { retryAfterMs: 60_000 })).toBe(5000)
})

test('what is exhausted and not paid for is tried at the maximum interval', () => {
  expect(nextExhaustedAttempt(standard, failed({ attempts: 40, random: 1 })) - firstMs).toBe(hourMs)
  expect(nextExhaustedAttempt(standard, failed({ attempts: 40, random: 0 })) - firstMs).toBe(0.8 * hourMs)
  const scheduled = { ...standard, scheduleMs: [1000, 9000, 2000], maximumMs: 9000, maxRetries: 3, jitterFrom: 1, jitterTo: 1 }
  expect(nextExhaustedAttempt(scheduled, failed({ attempts: 4 })) - firstMs).toBe(9000)
})

const ms = (max: number) => fc.integer({ min: 1, max })
const scheduleMs = fc.array(ms(7 * 24 * hourMs), { minLength: 1, maxLength: 100 })
const plans: fc.Arbitrary<RetryPlan> = fc
  .record({
    initialMs: ms(24 * hourMs),
    coefficient: fc.double({ min: 1, max: 100, noNaN: true }),
    maximumMs: ms(7 * 24 * hourMs),
    jitterFrom: fc.double({ min: 0, max: 1, noNaN: true }),
    jitterTo: fc.double({ min: 1, max: 2, noNaN: true }),
    maxRetries: fc.oneof(fc.integer({ min: 0, max: 100_000 }), fc.constant(Number.POSITIVE_INFINITY)),
    maxElapsedMs: fc.integer({ min: 0, max: 90 * 24 * hourMs }),
    scheduleMs: fc.option(scheduleMs, { nil: undefined }),
    retryAfterMaxMs: fc.integer({ min: 0, max: 7 * 24 * hourMs }),
  })
  .map((plan) =>
    plan.scheduleMs === undefined
      ? plan
      : { ...plan, maxRetries: plan.scheduleMs.length, maximumMs: Math.max(...plan.scheduleMs) },
  )
const failures: fc.Arbitrary<FailedAttempt> = fc.record({
  attempts: fc.oneof(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 1, max: 100_002 })),
  firstMs: fc.constant(firstMs),
  nowMs: fc.integer({ min: -hourMs, max: 100 * 24 * hourMs }).map((after) => firstMs + after),
  retryAfterMs: fc.option(fc.oneof(fc.integer({ min: 0, max: 8 * 24 * hourMs }), fc.constant(Number.POSITIVE_INFINITY)), {
    nil: undefined,
  }),
  random: fc.double({ min: 0, max: 1, noNaN: true }),
})

describe('whatever the policy', () => {
  test('a wait is within its bounds, never negative, and a whole number of milliseconds', () => {
    fc.assert(
      fc.property(plans, failures, (plan, one) => {
        const due = nextAttempt(plan, one)
        if (due < 0) return
        const base = baseWaitMs(plan, one.attempts)
        const asked = Math.min(one.retryAfterMs ?? 0, plan.retryAfterMaxMs)
        const wait = due - one.nowMs
        expect(Number.isSafeInteger(due)).toBe(true)
        expect(wait).toBeGreaterThanOrEqual(0)
        expect(wait).toBeGreaterThanOrEqual(Math.max(asked, Math.floor(base * plan.jitterFrom)))
        expect(wait).toBeLessThanOrEqual(Math.max(asked, Math.ceil(base * plan.jitterTo)))
        if (plan.scheduleMs === undefined) expect(wait).toBeLessThanOrEqual(Math.max(asked, plan.maximumMs))
      }),
      { numRuns: 1000 },
    )
  })

  test('the base wait never shrinks from attempt to attempt without a schedule', () => {
    fc.assert(
      fc.property(plans, fc.integer({ min: 1, max: 100_000 }), (plan, attempts) => {
        const exponential = { ...plan, scheduleMs: undefined }
        expect(baseWaitMs(exponential, attempts + 1)).toBeGreaterThanOrEqual(baseWaitMs(exponential, attempts))
      }),
    )
  })

  test('it is out of retries exactly when there were more attempts than retries', () => {
    fc.assert(
      fc.property(plans, failures, (plan, one) => {
        expect(nextAttempt(plan, one) === OUT_OF_RETRIES).toBe(one.attempts - 1 >= plan.maxRetries)
      }),
    )
  })

  test('no attempt is planned later than max_elapsed_time after the first, and it is out of time only then', () => {
    fc.assert(
      fc.property(plans, failures, (plan, one) => {
        const due = nextAttempt(plan, one)
        const free = nextAttempt({ ...plan, maxElapsedMs: Number.POSITIVE_INFINITY }, one)
        if (due >= 0) expect(due - one.firstMs).toBeLessThanOrEqual(plan.maxElapsedMs)
        expect(due === OUT_OF_TIME).toBe(free >= 0 && free - one.firstMs > plan.maxElapsedMs)
      }),
    )
  })

  test('a delivery that always fails is sent at most max_retries + 1 times, and its last attempt is within max_elapsed_time', () => {
    fc.assert(
      fc.property(plans, fc.double({ min: 0, max: 1, noNaN: true }), (plan, random) => {
        let sentMs = firstMs
        for (let attempts = 1; attempts <= 300; attempts++) {
          expect(attempts).toBeLessThanOrEqual(plan.maxRetries + 1)
          expect(sentMs - firstMs).toBeLessThanOrEqual(plan.maxElapsedMs)
          const due = nextAttempt(plan, failed({ attempts, nowMs: sentMs, random }))
          if (due < 0) return
          sentMs = due
        }
      }),
    )
  })
})
