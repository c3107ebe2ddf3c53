import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Breaker, defaultBreakerOptions as options } from './breaker.ts'
import { compileStatusClasses, failsEndpoint } from './status-class.ts'

const startMs = 1_760_000_000_000

interface Traffic {
  /** Requests that are tried per second, and how long an answer takes. */
  readonly perSecond: number
  readonly latencyMs: number
  /** Whether the endpoint fails what is answered at this time. */
  readonly fails: (afterMs: number) => boolean
}

interface Seen {
  readonly afterMs: number
  readonly state: string
  readonly started: number
}

/** Sends through a breaker for so long; a line per 10 ms step. */
function simulate(traffic: Traffic, durationMs: number): Seen[] {
  const breaker = new Breaker(options)
  const onTheWay: { ticket: number; endMs: number }[] = []
  const seen: Seen[] = []
  let due = 0
  for (let afterMs = 0; afterMs < durationMs; afterMs += 10) {
    const nowMs = startMs + afterMs
    while (onTheWay.length > 0 && onTheWay[0]!.endMs <= nowMs)
      breaker.answered(onTheWay.shift()!.ticket, !traffic.fails(afterMs), nowMs)
    let started = 0
    for (due += traffic.perSecond / 100; due >= 1; due--) {
      if (!breaker.mayStart(nowMs)) continue
      onTheWay.push({ ticket: breaker.started(nowMs), endMs: nowMs + traffic.latencyMs })
      started++
    }
    seen.push({ afterMs, state: breaker.state, started })
  }
  return seen
}

describe('with a simulated endpoint', () => {
  const perSecond = fc.integer({ min: 5, max: 500 })
  const latencyMs = fc.integer({ min: 1, max: 3000 })
  const outages = fc.record({
    perSecond,
    latencyMs,
    fromMs: fc.integer({ min: 0, max: 20_000 }),
    lengthMs: fc.integer({ min: 40_000, max: 90_000 }),
  })

  test('it opens within a window of the first failure, then sends ten requests a cooldown, and closes after the return', () => {
    fc.assert(
      fc.property(outages, ({ perSecond, latencyMs, fromMs, lengthMs }) => {
        const untilMs = fromMs + lengthMs
        const inOutage = (afterMs: number): boolean => afterMs >= fromMs && afterMs < untilMs
        const seen = simulate({ perSecond, latencyMs, fails: inOutage }, untilMs + 60_000)

        const open = seen.find((each) => each.state !== 'CLOSED')
        expect(open!.afterMs).toBeGreaterThanOrEqual(fromMs)
        expect(open!.afterMs).toBeLessThanOrEqual(fromMs + options.windowMs + latencyMs + 20)

        const probes = seen
          .filter((each) => each.afterMs > open!.afterMs && each.afterMs < untilMs)
          .reduce((sum, each) => sum + each.started, 0)
        expect(probes).toBeLessThanOrEqual(options.probes * (5 + lengthMs / options.cooldownMaxMs))

        const closed = seen.find((each) => each.afterMs >= untilMs && each.state === 'CLOSED')
        const slackMs = 10 + 1000 / perSecond
        expect(closed!.afterMs).toBeLessThanOrEqual(untilMs + options.cooldownMaxMs + 2 * (latencyMs + slackMs))
        expect(seen.at(-1)!.state).toBe('CLOSED')
      }),
      { numRuns: 40 },
    )
  })

  test('it never opens on answers that speak of records or of permissions', () => {
    const classes = compileStatusClasses([], [])
    const statuses = fc.array(fc.constantFrom(400, 401, 403, 404, 408, 409, 410, 413, 415, 422, 301), {
      minLength: 1,
      maxLength: 500,
    })
    fc.assert(
      fc.property(statuses, (list) => {
        const breaker = new Breaker(options)
        for (const status of list)
          for (let i = 0; i < 10; i++) breaker.answered(breaker.started(startMs), !failsEndpoint(classes, status), startMs)
        expect(breaker.state).toBe('CLOSED')
      }),
    )
  })
})
