import { expect, test } from 'vitest'
import { LiveDemand } from './live-demand.ts'

const limits = { maxInFlight: 100, recordsPerSecond: 1000, bytesPerSecond: undefined }

/** So many windows, in which so much is sent in each second. */
function go(demand: LiveDemand, fromMs: number, seconds: number, records: number, inFlight = 0, waits = false): number {
  for (let ms = fromMs + 100; ms <= fromMs + seconds * 1000; ms += 100) {
    demand.sent(records / 10, 0)
    demand.look(inFlight, waits, limits, ms)
  }
  return demand.ppm
}

test('asks for a little more than it uses, in steps', () => {
  const demand = new LiveDemand(0)
  expect(demand.ppm).toBe(0)
  expect(go(demand, 0, 1, 300)).toBe(400_000)
  expect(go(demand, 1000, 1, 310)).toBe(400_000)
  // Of what is used most.
  expect(go(demand, 2000, 1, 10, 50)).toBe(650_000)
})

test('asks for all while it waits, and for less only some seconds later', () => {
  const demand = new LiveDemand(0)
  expect(go(demand, 0, 1, 100, 0, true)).toBe(1_000_000)
  expect(go(demand, 1000, 4, 100)).toBe(1_000_000)
  expect(go(demand, 5000, 1, 100)).toBe(150_000)
  expect(go(demand, 6000, 6, 0)).toBe(0)
})
