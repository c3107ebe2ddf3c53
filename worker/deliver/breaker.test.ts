import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Breaker, type BreakerOptions, defaultBreakerOptions } from './breaker.ts'

const options = defaultBreakerOptions
const startMs = 1_760_000_000_000

function answer(breaker: Breaker, ok: boolean, times: number, nowMs: number): void {
  for (let i = 0; i < times; i++) breaker.answered(breaker.started(nowMs), ok, nowMs)
}

function opened(nowMs = startMs): Breaker {
  const breaker = new Breaker(options)
  answer(breaker, false, options.requestsMin, nowMs)
  return breaker
}

/** Starts as many probes as may go, which all fail 5 ms later; answers how many. */
function failProbes(breaker: Breaker, nowMs: number): number {
  const tickets: number[] = []
  while (breaker.mayStart(nowMs)) tickets.push(breaker.started(nowMs))
  for (const ticket of tickets) breaker.answered(ticket, false, nowMs + 5)
  return tickets.length
}

describe('CLOSED', () => {
  test('opens at the twentieth failure, not before', () => {
    const breaker = new Breaker(options)
    answer(breaker, false, 19, startMs)
    expect(breaker.state).toBe('CLOSED')
    answer(breaker, false, 1, startMs)
    expect(breaker.state).toBe('OPEN')
    expect(breaker.nextProbeAtMs).toBe(startMs + 1000)
  })

  test('stays closed while more than a fifth of the answers are good', () => {
    const breaker = new Breaker(options)
    for (let i = 0; i < 1000; i++) {
      answer(breaker, false, 3, startMs + i)
      answer(breaker, true, 1, startMs + i)
    }
    expect(breaker.state).toBe('CLOSED')
  })

  test('opens at the twentieth failure in a row, however many good answers the window remembers', () => {
    const breaker = new Breaker(defaultBreakerOptions)
    for (let i = 0; i < 5000; i++) breaker.answered(breaker.started(i), true, i)
    for (let i = 1; i < 20; i++) breaker.answered(breaker.started(5000), false, 5000)
    expect(breaker.state).toBe('CLOSED')
    breaker.answered(breaker.started(5000), false, 5000)
    expect(breaker.state).toBe('OPEN')
  })

  test('stays closed while records that are tried again fail, whether fresh ones are taken between them or not', () => {
    const breaker = new Breaker(options)
    for (let i = 0; i < 1000; i++) breaker.answered(breaker.started(startMs), false, startMs, false)
    answer(breaker, true, 4, startMs)
    answer(breaker, false, 15, startMs)
    expect(breaker.state).toBe('CLOSED')
    answer(breaker, false, 1, startMs)
    expect(breaker.state).toBe('OPEN')
  })

  test('forgets failures that are older than the window', () => {
    const breaker = new Breaker(options)
    answer(breaker, false, 19, startMs)
    answer(breaker, false, 19, startMs + options.windowMs)
    expect(breaker.state).toBe('CLOSED')
    answer(breaker, false, 1, startMs + options.windowMs)
    expect(breaker.state).toBe('OPEN')
  })
})

describe('OPEN', () => {
  test('starts nothing before the cooldown and ten probes after it', () => {
    const breaker = opened()
    expect(breaker.mayStart(startMs + 999)).toBe(false)
    expect(breaker.mayStart(startMs + 1000)).toBe(true)
    for (let probe = 0; probe < 10; probe++) {
      expect(breaker.mayStart(startMs + 1000)).toBe(true)
      breaker.started(startMs + 1000)
    }
    expect(breaker.state).toBe('PROBING')
    expect(breaker.mayStart(startMs + 100_000)).toBe(false)
  })

  test('answers of requests that were started before it opened change nothing', () => {
    const breaker = new Breaker(options)
    const early = breaker.started(startMs)
    answer(breaker, false, 20, startMs)
    breaker.answered(early, true, startMs + 1)
    expect(breaker.state).toBe('OPEN')
    breaker.started(startMs + 1000)
    breaker.answered(early, false, startMs + 1001)
    breaker.withdrawn(early, startMs + 1001)
    expect(breaker.state).toBe('PROBING')
  })
})

describe('PROBING', () => {
  test('a probe that succeeds closes it, and old failures are forgotten', () => {
    const breaker = opened()
    breaker.answered(breaker.started(startMs + 1000), true, startMs + 1010)
    expect(breaker.state).toBe('CLOSED')
    answer(breaker, false, 19, startMs + 1020)
    expect(breaker.state).toBe('CLOSED')
  })

  test('cooldowns double up to the maximum while probes fail, and begin anew after closing', () => {
    const breaker = opened()
    const waits: number[] = []
    for (let i = 0; i < 7; i++) {
      const atMs = breaker.nextProbeAtMs
      failProbes(breaker, atMs)
      waits.push(breaker.nextProbeAtMs - atMs - 5)
    }
    expect(waits).toEqual([2000, 4000, 8000, 10_000, 10_000, 10_000, 10_000])
    const atMs = breaker.nextProbeAtMs
    breaker.answered(breaker.started(atMs), true, atMs)
    answer(breaker, false, 20, atMs)
    expect(breaker.nextProbeAtMs).toBe(atMs + 1000)
  })

  test('one probe of ten that succeeds closes it, whatever the others say', () => {
    const breaker = opened()
    const atMs = breaker.nextProbeAtMs
    const tickets = Array.from({ length: 10 }, () => breaker.started(atMs))
    for (const ticket of tickets.slice(0, 8)) breaker.answered(ticket, false, atMs + 1)
    expect(breaker.state).toBe('PROBING')
    breaker.answered(tickets[8]!, true, atMs + 3)
    expect(breaker.state).toBe('CLOSED')
    breaker.answered(tickets[9]!, false, atMs + 4)
    expect(breaker.state).toBe('CLOSED')
  })

  test('probes that go one after the other, as with a single slot, all go before the next cooldown', () => {
    const breaker = opened()
    let atMs = startMs + 1000
    for (let probe = 0; probe < 10; probe++) {
      expect(breaker.mayStart(atMs)).toBe(true)
      breaker.answered(breaker.started(atMs), false, atMs + 5)
      atMs += 5
    }
    expect(breaker.mayStart(atMs)).toBe(false)
    expect(breaker.nextProbeAtMs).toBe(atMs + 2000)
  })

  test('a probe that Ferry aborted leaves room for another at once', () => {
    const breaker = opened()
    const tickets = Array.from({ length: 10 }, () => breaker.started(startMs + 1000))
    breaker.withdrawn(tickets[0]!, startMs + 1500)
    expect(breaker.mayStart(startMs + 1500)).toBe(true)
    breaker.started(startMs + 1500)
    expect(breaker.mayStart(startMs + 1500)).toBe(false)
  })

  test('probes of which nothing is heard are replaced after their deadline, and a late answer is ignored', () => {
    const breaker = opened()
    const lost = Array.from({ length: 10 }, () => breaker.started(startMs + 1000))
    const overMs = startMs + 1000 + options.probeTimeoutMs
    expect(breaker.mayStart(overMs - 1)).toBe(false)
    expect(breaker.mayStart(overMs)).toBe(true)
    const next = breaker.started(overMs)
    breaker.answered(lost[0]!, true, overMs + 1)
    expect(breaker.state).toBe('PROBING')
    breaker.answered(next, true, overMs + 2)
    expect(breaker.state).toBe('CLOSED')
  })
})

type Step = { readonly kind: 'start' | 'good' | 'bad' | 'withdraw' | 'lose'; readonly afterMs: number }

describe('whatever happens, in whatever order', () => {
  const kinds = ['start', 'start', 'start', 'good', 'bad', 'bad', 'withdraw', 'lose'] as const
  const steps: fc.Arbitrary<Step[]> = fc.array(
    fc.record({
      kind: fc.constantFrom(...kinds),
      afterMs: fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 40_000 })),
    }),
    { maxLength: 300 },
  )
  const small: BreakerOptions = { ...options, requestsMin: 3, failureRatio: 0.5, probeTimeoutMs: 60_000 }

  test('a request may start within the longest cooldown or the probe deadline, and never more probes at once than it has', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const breaker = new Breaker(small)
        const tickets: number[] = []
        let nowMs = startMs
        let probes = 0
        for (const { kind, afterMs } of list) {
          nowMs += afterMs
          const ticket = kind === 'start' ? undefined : tickets.shift()
          if (kind === 'start' && breaker.mayStart(nowMs)) {
            tickets.push(breaker.started(nowMs))
            if (breaker.state !== 'PROBING') probes = 0
            else if (++probes === small.probes) expect(breaker.mayStart(nowMs + small.probeTimeoutMs - 1)).toBe(false)
          }
          if (ticket !== undefined && kind === 'withdraw') breaker.withdrawn(ticket, nowMs)
          if (ticket !== undefined && (kind === 'good' || kind === 'bad')) breaker.answered(ticket, kind === 'good', nowMs)
          expect(breaker.nextProbeAtMs - nowMs).toBeLessThanOrEqual(Math.max(small.cooldownMaxMs, small.probeTimeoutMs))
          expect(breaker.mayStart(Math.max(nowMs, breaker.nextProbeAtMs))).toBe(true)
          expect(breaker.mayStart(0)).toBe(breaker.state === 'CLOSED')
        }
      }),
    )
  })

  test('while closed it counts exactly the answers of the last ten buckets', () => {
    const answers = fc.array(
      fc.record({ ok: fc.constantFrom(true, false, false, false, false), afterMs: fc.integer({ min: 0, max: 3000 }) }),
      { maxLength: 200 },
    )
    fc.assert(
      fc.property(answers, (list) => {
        const breaker = new Breaker(options)
        const known: { ok: boolean; bucket: number }[] = []
        let nowMs = startMs
        for (const { ok, afterMs } of list) {
          nowMs += afterMs
          const bucket = Math.floor(nowMs / 1000)
          known.push({ ok, bucket })
          answer(breaker, ok, 1, nowMs)
          const window = known.filter((each) => each.bucket > bucket - 10)
          const failures = window.filter((each) => !each.ok).length
          const opens = !ok && window.length >= options.requestsMin && failures >= options.failureRatio * window.length
          expect(breaker.state).toBe(opens ? 'OPEN' : 'CLOSED')
          if (opens) return
        }
      }),
      { numRuns: 500 },
    )
  })
})
