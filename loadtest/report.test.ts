import { expect, test } from 'vitest'
import { missingOf, reportJson, reportLines } from './report.ts'
import type { PeerResult, Results } from './results.ts'

const result = (recordsPerSecond: number, user: number, missing = 0): PeerResult => ({
  ...{ recordsPerSecond, cpuUserUsPerRecord: user, cpuSystemUsPerRecord: 8, rssMaxMiB: 300, missing },
  ...{ delivered: 9_000, partsUsPerRecord: { nginx: 8, clickhouse: 11.26 }, foreignCores: 0.1 },
})

const latencies = { appendToAnswer: { p50Ms: 1.24, p99Ms: 9.9 }, request: { p50Ms: 0.5, p99Ms: 2 } }
const settings = { records: 9_000, workers: 1, payload: 'json', ordering: 'key', inFlight: 32, rounds: 1 } as const

const results = (missing = 0): Results => ({
  limitVariant: { connections: 'clients', inFlight: 16 },
  rounds: [
    {
      ferry: {
        ...{ ...result(30_000.4, 12, missing), repeated: 3, saturated: latencies },
        paced: { recordsPerSecond: 15_000.2, records: 9_000, latencies, foreignCores: 0.25 },
      },
      ...{ limit: result(60_000, 4.5), tuned: result(40_000, 15), naive: result(6_000, 150) },
    },
  ],
})

test('the object for machines has the same figures for all four, and the ratios', () => {
  const json = reportJson(settings, results())
  for (const name of ['ferry', 'limit', 'naive', 'tuned']) {
    expect(Object.keys(json[name] as object)).toEqual(
      expect.arrayContaining(['recordsPerSecond', 'cpuUserUsPerRecord', 'cpuSystemUsPerRecord', 'rssMaxMiB', 'missing']),
    )
  }
  expect(json['ferry']).toMatchObject({ recordsPerSecond: 30_000, cpuUserUsPerRecord: 12, cpuSystemUsPerRecord: 8, repeated: 3 })
  expect(json['ratios']).toEqual({ throughputToLimit: 0.5, cpuToLimit: 1.6, cpuToNaive: 0.127, cpuToTuned: 0.87 })
})

test('in the table for people every line of figures is as wide as its heading', () => {
  const lines = reportLines(settings, results())
  const heading = lines.findIndex((line) => line.includes('records/s'))
  const rows = lines.slice(heading, heading + 5)
  expect(new Set(rows.map((line) => line.length)).size).toBe(1)
  expect(rows[1]).toMatch(/^ferry +30,000 +12\.0 +8\.0 +20\.0 +300 +0$/)
  expect(lines.join('\n')).toContain('clickhouse 11.3')
})

test('a record that is missing anywhere is told', () => {
  expect(missingOf(results())).toBe(0)
  expect(missingOf(results(2))).toBe(2)
})
