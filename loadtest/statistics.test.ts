import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addCpu, type Figures, median, medianFigures, type Round, ratesOf, ratiosOf, type Sample } from './statistics.ts'

const sample = (timeMs: number, records: number, userMs: number, systemMs: number): Sample => ({
  ...{ timeMs, records },
  cpu: { userMs, systemMs },
})

const figures = (recordsPerSecond: number, user: number, system: number, rssMaxMiB = 100, missing = 0): Figures => ({
  ...{ recordsPerSecond, cpuUserUsPerRecord: user, cpuSystemUsPerRecord: system, rssMaxMiB, missing },
})

test('the warm-up counts for nothing, and CPU after the last answer counts, but not as time', () => {
  const warm = sample(5_000, 1_000, 900, 700)
  const last = sample(7_000, 5_000, 930, 712)
  const done = sample(9_000, 5_000, 940, 716)
  expect(ratesOf(warm, last, done)).toEqual({ recordsPerSecond: 2_000, cpuUserUsPerRecord: 10, cpuSystemUsPerRecord: 4 })
  expect(() => ratesOf(warm, warm, done)).toThrow('no record')
})

test('CPU of several processes is added, user and system apart', () => {
  const times = [
    { userMs: 1, systemMs: 20 },
    { userMs: 2, systemMs: 30 },
  ]
  expect(addCpu(times)).toEqual({ userMs: 3, systemMs: 50 })
  expect(addCpu([])).toEqual({ userMs: 0, systemMs: 0 })
})

test('half of the values are at or below the median, and half at or above, whatever their order', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(() => median([])).toThrow()
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 }), (values) => {
      const middle = median(values)
      expect(values.filter((value) => value <= middle).length).toBeGreaterThanOrEqual(values.length / 2)
      expect(values.filter((value) => value >= middle).length).toBeGreaterThanOrEqual(values.length / 2)
      expect(median(values.toReversed())).toBe(middle)
    }),
  )
})

test('of several rounds the middle figures are shown, but the most memory and the most missing records', () => {
  const rounds = [figures(10, 5, 3, 200, 0), figures(30, 7, 1, 300, 2), figures(20, 9, 2, 250, 0)]
  expect(medianFigures(rounds)).toEqual(figures(20, 7, 2, 300, 2))
})

test('ratios are taken within each round, then their median', () => {
  const round = (cpu: number): Round => ({
    ferry: figures(500, cpu, cpu),
    limit: figures(1_000, cpu / 2, cpu / 2),
    tuned: figures(400, cpu, cpu),
    naive: figures(100, 4 * cpu, 4 * cpu),
  })
  const disturbed: Round = { ...round(10), limit: figures(100, 1, 1) }
  expect(ratiosOf([round(10), disturbed, round(30)])).toEqual({
    ...{ throughputToLimit: 0.5, cpuToLimit: 2, cpuToNaive: 0.25, cpuToTuned: 1 },
  })
})
