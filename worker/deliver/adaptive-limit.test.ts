import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AdaptiveLimit, changedLimit, type EndpointLoad } from './adaptive-limit.ts'
import { EndpointSimulation, type Phase, phase, type Stretch } from './endpoint-simulation.ts'

const max = 1024

/** Mulberry32: numbers that are the same in every run. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const simulate = (phases: readonly Phase[], seed = 7, workers = 1): EndpointSimulation =>
  new EndpointSimulation(
    Array.from({ length: workers }, () => new AdaptiveLimit(max)),
    phases,
    randomOf(seed),
  )

/** What is seen after `warmMs`, for so long. */
function seenAfter(simulation: EndpointSimulation, warmMs: number, ms: number): Stretch {
  simulation.run(warmMs)
  return simulation.run(ms)
}

const seeds = fc.integer({ min: 1, max: 1_000_000 })

describe('with nothing known of the endpoint', () => {
  test.each([0, 0.1, 0.3])('one that takes 50 ms, and any number at once, soon gets 15,000 a second, noise %f', (noise) => {
    const simulation = simulate([phase({ noise })])
    expect(seenAfter(simulation, 5000, 3000).perSecond).toBeGreaterThan(15_000)
    expect(simulation.run(10_000).perSecond).toBeGreaterThan(15_000)
  })

  test('one that can do little is used, and its queue stays short', () => {
    const endpoints = fc.record({
      capacity: fc.integer({ min: 2, max: 60 }),
      serviceMs: fc.integer({ min: 5, max: 500 }),
      noise: fc.double({ min: 0, max: 0.3, noNaN: true }),
    })
    fc.assert(
      fc.property(endpoints, seeds, (endpoint, seed) => {
        const { capacity, serviceMs, noise } = endpoint
        const seen = seenAfter(simulate([phase(endpoint)], seed), serviceMs * 300, serviceMs * 400)
        const most = (capacity * 1000) / (serviceMs * Math.exp(noise ** 2 / 2))
        expect(seen.perSecond).toBeGreaterThan(0.75 * most)
        expect(seen.p50Ms).toBeLessThan(2.1 * serviceMs)
      }),
      { numRuns: 40 },
    )
  })

  test('one that does one thing at a time has two waiting at most, most of the time', () => {
    expect(seenAfter(simulate([phase({ capacity: 1 })]), 10_000, 60_000).p50Ms).toBeLessThanOrEqual(100)
  })

  test.each([
    [3, 4, 2.1],
    [3, 20, 2.1],
    [8, 20, 2.3],
    [3, 100, 2.1],
  ])(
    '%i workers together keep the queue of one that does %i at once short, for as long as they send',
    (workers, capacity, times) => {
      const simulation = simulate([phase({ capacity, noise: 0.3 })], 7, workers)
      simulation.skewMs = 30
      const most = capacity * 20
      const first = seenAfter(simulation, 60_000, 60_000)
      const last = seenAfter(simulation, 240_000, 60_000)
      for (const { perSecond, p50Ms } of [first, last]) {
        expect(perSecond).toBeGreaterThan(0.75 * most)
        expect(p50Ms).toBeLessThan(times * 50)
      }
    },
  )
})

describe('when the endpoint changes', () => {
  test.each([
    [100, 20],
    [20, 200],
    [200, 5],
  ])('from %i at once to %i, both are used, and the queue is short again', (before, after) => {
    const simulation = simulate([phase({ capacity: before, noise: 0.2 }), phase({ fromMs: 10_000, capacity: after, noise: 0.2 })])
    expect(seenAfter(simulation, 5000, 5000).perSecond).toBeGreaterThan(0.7 * 20 * before)
    const seen = seenAfter(simulation, 40_000, 10_000)
    expect(seen.perSecond).toBeGreaterThan(0.75 * 20 * after)
    expect(seen.p50Ms).toBeLessThan(105)
  })

  test.each([80, 150, 400])('to %i ms for its own sake, it gets as many at once as before', (serviceMs) => {
    const simulation = simulate([phase({ noise: 0.2 }), phase({ fromMs: 10_000, serviceMs, noise: 0.2 })])
    simulation.run(10_000)
    const seen = seenAfter(simulation, serviceMs > 200 ? 60_000 : 20_000, 10_000)
    expect(seen.perSecond).toBeGreaterThan(((0.75 * max) / serviceMs) * 1000)
  })

  test('to nothing at all and back, it gets one at a time meanwhile, and soon all again', () => {
    const simulation = simulate([
      phase({ noise: 0.2 }),
      phase({ fromMs: 10_000, isDown: true }),
      phase({ fromMs: 15_000, noise: 0.2 }),
    ])
    simulation.run(12_000)
    expect(simulation.run(2900).limit).toBe(1)
    expect(seenAfter(simulation, 5000, 5000).perSecond).toBeGreaterThan(15_000)
  })
})

describe('answers of overload', () => {
  test('of an endpoint that takes 100 at once and no more keep the limit near that', () => {
    const seen = seenAfter(simulate([phase({ capacity: 100, queueMax: 0, noise: 0.2 })]), 10_000, 30_000)
    expect(seen.perSecond).toBeGreaterThan(0.75 * 2000)
    expect(seen.overloaded).toBeLessThan(0.06)
  })

  test('to a fifth of the records leave eight requests on the way', () => {
    expect(seenAfter(simulate([phase({ failing: 0.2, noise: 0.2 })]), 10_000, 20_000).perSecond).toBeGreaterThan(110)
  })

  test.each([0.01, 0.03])('that have other reasons do not slow down: a share of %f', (failing) => {
    expect(seenAfter(simulate([phase({ failing, noise: 0.2 })]), 10_000, 20_000).perSecond).toBeGreaterThan(15_000)
  })
})

test('without anything more to send the limit does not grow', () => {
  const simulation = simulate([phase({ noise: 0.2 })])
  simulation.demand = 5
  expect(seenAfter(simulation, 30_000, 10_000).limit).toBeLessThanOrEqual(8)
})

test('whatever the answers, the limit is from 1 to its maximum, and grows again afterwards', () => {
  const answers = fc.record({
    load: fc.constantFrom<EndpointLoad>('FINE', 'OVERLOAD', 'NOTHING'),
    // From next to nothing to half a second is a longer way than this waits for: docs/protect-an-endpoint.md.
    afterMs: fc.double({ min: 50, max: 500, noNaN: true }),
    starts: fc.integer({ min: 0, max: 5 }),
    max: fc.integer({ min: 1, max: 50 }),
  })
  fc.assert(
    fc.property(fc.array(answers, { maxLength: 300 }), seeds, (story, seed) => {
      const limit = new AdaptiveLimit(20)
      const open: number[] = []
      let nowMs = 0
      for (const each of story) {
        limit.max = each.max
        for (let i = 0; i < each.starts && open.length < limit.limit; i++) {
          open.push(nowMs)
          limit.started(open.length, nowMs)
        }
        nowMs += each.afterMs
        if (open.length > 0) limit.answered(each.load, open.shift()!, nowMs, nowMs)
        expect(limit.limit).toBeGreaterThanOrEqual(1)
        expect(limit.limit).toBeLessThanOrEqual(each.max)
      }
      // What is still on its way ends as well.
      for (const startedMs of open) limit.answered('NOTHING', startedMs, nowMs, nowMs)
      limit.max = 50
      const simulation = new EndpointSimulation([limit], [phase({ serviceMs: 500 })], randomOf(seed))
      simulation.nowMs = nowMs
      expect(seenAfter(simulation, 900_000, 10_000).limit).toBeGreaterThanOrEqual(25)
    }),
    { numRuns: 12 },
  )
})

test('a limiter stays with its use case, and takes another share', () => {
  expect(changedLimit(undefined, false, 10)).toBeUndefined()
  const limit = changedLimit(undefined, true, 10)!
  expect(changedLimit(limit, true, 5)).toBe(limit)
  expect(limit.max).toBe(5)
  expect(changedLimit(limit, false, 5)).toBeUndefined()
})
