import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { demand, GroupSimulation } from './group-simulation.ts'

const whole = 1_000_000
const fixed = (maxInFlight: number) => ({ maxInFlight, wholeMaxInFlight: maxInFlight, isAdaptive: false })
const records = (perSecond: number) => ({ recordsPerSecond: perSecond, bytesPerSecond: undefined })

/** Busy milliseconds of BACKFILL among all. */
function backfillPart({ senders }: GroupSimulation): number {
  const busyOf = (isBackfill: boolean): number =>
    senders.filter((each) => each.isBackfill === isBackfill).reduce((sum, { busyMs }) => sum + busyMs, 0)
  return busyOf(true) / (busyOf(true) + busyOf(false))
}

describe('places of a group', () => {
  test('are never more than may be, whoever has what to send', () => {
    const demands = fc.record({
      ...{ isBackfill: fc.boolean(), everyMs: fc.constantFrom(0, 40), serviceMs: fc.integer({ min: 1, max: 300 }) },
      ...{ fromMs: fc.integer({ min: 0, max: 2000 }), toMs: fc.integer({ min: 1000, max: 6000 }) },
    })
    fc.assert(
      fc.property(fc.array(demands, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 20 }), (given, max) => {
        const simulation = new GroupSimulation(given.map((each) => demand(each)))
        simulation.endpoint.shareInFlight(fixed(max))
        simulation.run(8000 + (5 * 150 * 300) / max)
        expect(simulation.mostInFlight).toBeLessThanOrEqual(max)
        // What has come is sent in the end, of either class.
        for (const { hasWork, inFlight } of simulation.senders) expect([hasWork, inFlight]).toEqual([false, 0])
      }),
      { numRuns: 25 },
    )
  })

  test('are all of BACKFILL while nothing is LIVE', () => {
    const simulation = new GroupSimulation([demand({ toMs: 0 }), demand({ isBackfill: true })])
    simulation.endpoint.shareInFlight(fixed(10))
    simulation.run(20_000)
    expect(simulation.senders[1]!.busyMs).toBeGreaterThan(0.99 * 10 * 20_000)
  })

  test.each([1, 2, 3, 10, 100])('of %i, LIVE has all but a twentieth when it asks for all, whatever BACKFILL takes', (max) => {
    for (const serviceMs of [5, 50, 1000]) {
      const simulation = new GroupSimulation([demand({ serviceMs: 20 }), demand({ isBackfill: true, serviceMs })])
      simulation.endpoint.shareInFlight(fixed(max))
      simulation.run(60_000)
      expect(backfillPart(simulation)).toBeGreaterThan(0.03)
      expect(backfillPart(simulation)).toBeLessThan(0.07)
    }
  })

  test('BACKFILL leaves one free for the next LIVE record, and takes it when LIVE has been idle', () => {
    const live = demand({ everyMs: 100, serviceMs: 10, toMs: 30_000 })
    const simulation = new GroupSimulation([live, demand({ isBackfill: true, serviceMs: 1000 })])
    simulation.endpoint.shareInFlight(fixed(8))
    simulation.run(30_000)
    const [first] = simulation.senders
    // Those of the first second may have met a full house.
    expect(first!.latencies.slice(12).every((ms) => ms === 10)).toBe(true)
    const before = simulation.senders[1]!.busyMs
    simulation.run(40_000)
    expect(simulation.senders[1]!.busyMs - before).toBeGreaterThan(0.9 * 8 * 30_000)
  })

  test('LIVE use cases take turns', () => {
    const simulation = new GroupSimulation([demand(), demand(), demand()])
    simulation.endpoint.shareInFlight(fixed(4))
    simulation.run(20_000)
    const counts = simulation.senders.map(({ sentMs }) => sentMs.length)
    expect(Math.max(...counts)).toBeLessThan(1.2 * Math.min(...counts))
  })
})

describe('the rate of a group', () => {
  test('is never exceeded: in any time at most what it gives, and one request of each class more', () => {
    const demands = fc.record({ everyMs: fc.constantFrom(0, 5, 30), fromMs: fc.integer({ min: 0, max: 2000 }) })
    fc.assert(
      fc.property(demands, fc.integer({ min: 1, max: 100 }), fc.constantFrom(20, 200), (live, batch, rate) => {
        const simulation = new GroupSimulation([
          demand({ ...live, serviceMs: 5, toMs: 4000 }),
          demand({ isBackfill: true, serviceMs: 20, records: batch }),
        ])
        simulation.endpoint.shareInFlight(fixed(64))
        simulation.endpoint.shareRate(records(rate), whole, 0)
        simulation.run(10_000)
        const sent = simulation.senders
          .flatMap((sender) => sender.sentMs.map((ms) => ({ ms, records: sender.demand.records })))
          .sort((a, b) => a.ms - b.ms)
        for (const windowMs of [100, 1000, 5000]) {
          const most = (rate * (windowMs + 200)) / 1000 + batch + 1
          let sum = 0
          let from = 0
          for (const { ms, records } of sent) {
            sum += records
            while (sent[from]!.ms <= ms - windowMs) sum -= sent[from++]!.records
            expect(sum).toBeLessThanOrEqual(most + 1e-6)
          }
        }
      }),
      { numRuns: 25 },
    )
  })

  test('is of LIVE first: BACKFILL has what it leaves, and a twentieth where it leaves nothing', () => {
    for (const [everyMs, expected] of [
      [0, 10],
      [10, 100],
      [50, 180],
    ] as const) {
      const simulation = new GroupSimulation([demand({ everyMs, serviceMs: 5 }), demand({ isBackfill: true, serviceMs: 5 })])
      simulation.endpoint.shareInFlight(fixed(64))
      simulation.endpoint.shareRate(records(200), whole, 0)
      simulation.run(60_000)
      expect(simulation.senders[1]!.sentMs.length / 60).toBeGreaterThan(0.8 * expected)
      expect(simulation.senders[1]!.sentMs.length / 60).toBeLessThan(1.2 * expected)
    }
  })

  test('does not make LIVE pay for large batches of BACKFILL', () => {
    const simulation = new GroupSimulation([
      demand({ everyMs: 20, serviceMs: 5 }),
      demand({ isBackfill: true, serviceMs: 100, records: 1000 }),
    ])
    simulation.endpoint.shareInFlight(fixed(64))
    simulation.endpoint.shareRate(records(200), whole, 0)
    simulation.run(60_000)
    const [live, backfill] = simulation.senders
    expect(live!.latencies.slice(5).every((ms) => ms <= 30)).toBe(true)
    expect(backfill!.sentMs.length).toBeGreaterThan(5)
  })
})

describe('adaptive concurrency of a group', () => {
  test('finds out how much the endpoint takes, also when requests of BACKFILL take a hundred times as long', () => {
    const simulation = new GroupSimulation(
      [demand({ everyMs: 20, serviceMs: 5 }), demand({ isBackfill: true, serviceMs: 500 })],
      20,
    )
    simulation.endpoint.shareInFlight({ ...fixed(1024), isAdaptive: true })
    simulation.run(60_000)
    const before = simulation.senders[1]!.busyMs
    simulation.run(60_000)
    expect((simulation.senders[1]!.busyMs - before) / 60_000).toBeGreaterThan(10)
    expect(simulation.endpoint.limit).toBeLessThan(40)
  })
})

describe('the breaker of a group', () => {
  test('opens for all, and lets LIVE probe first', () => {
    const simulation = new GroupSimulation([demand(), demand({ isBackfill: true })])
    const { endpoint, senders } = simulation
    endpoint.shareInFlight(fixed(4))
    const [live, backfill] = senders
    for (let i = 0; i < 20; i++) endpoint.breaker.answered(endpoint.breaker.started(0), false, 0)
    expect([endpoint.mayStart(live!, 0), endpoint.mayStart(backfill!, 0)]).toEqual([false, false])
    simulation.run(999)
    expect(senders.map(({ sentMs }) => sentMs.length)).toEqual([0, 0])
    simulation.run(30)
    // All places are of LIVE as soon as one may go.
    expect(senders.map(({ sentMs }) => sentMs.length)).toEqual([4, 0])
  })
})
