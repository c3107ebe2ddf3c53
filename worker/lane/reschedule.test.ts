import { expect, test } from 'vitest'
import type { ParkedEntry } from '../../runtime/lane-keys.ts'
import { reschedule } from './reschedule.ts'
import { sampleRoute } from './sample-route.ts'
import type { Rules } from './verdict.ts'

// Of the sample: 200 ms, doubled, at most 1 s, three retries, no jitter.
const { plan } = sampleRoute('KEY')
const waits = (more: Partial<ParkedEntry>): ParkedEntry => ({
  ...{
    state: 'P',
    keyHash: undefined,
    attempts: 1,
    unpaid: 0,
    firstMs: 1000,
    lastMs: 1000,
    dueMs: 9000,
    round: 0,
    bytes: 0,
    where: 'K',
  },
  ...{ batch: undefined, stale: false, newKey: false, ...more },
})
const now = (entry: Partial<ParkedEntry>, rules: Partial<Rules> = {}) =>
  reschedule({ ...plan, ...rules }, waits(entry), 5000, 0.5)

test('what is parked is due as soon as the new policy says, and never later than it was', () => {
  expect(now({})).toEqual({ state: 'P', dueMs: 1200 })
  expect(now({ attempts: 3, lastMs: 4000 })).toEqual({ state: 'P', dueMs: 4800 })
  expect(now({ dueMs: 1100 })).toBeUndefined()
})

test('a planned attempt is made, also when the new policy has fewer', () => {
  expect(now({ attempts: 9 })).toBeUndefined()
})

test('what costs no retry is not counted, and what was not tried yet stays as it is', () => {
  expect(now({ attempts: 9, unpaid: 8 })).toEqual({ state: 'P', dueMs: 1200 })
  expect(now({ attempts: 2, unpaid: 2 })).toBeUndefined()
  expect(now({ attempts: 0, firstMs: 0, lastMs: 0 })).toBeUndefined()
  expect([now({ state: 'B' }), now({ state: 'S' })]).toEqual([undefined, undefined])
})

test('what was out of retries goes on when the new policy has more', () => {
  expect(now({ state: 'X', attempts: 2 })).toEqual({ state: 'P', dueMs: 1400 })
  expect(now({ state: 'H', attempts: 2 })).toEqual({ state: 'P', dueMs: 1400 })
})

test('what stays out of retries is exhausted or blocked as the new policy says', () => {
  expect(now({ state: 'H', attempts: 4 })).toEqual({ state: 'X', dueMs: 5000 })
  expect(now({ state: 'H', attempts: 4 }, { blocks: true })).toBeUndefined()
  expect(now({ state: 'X', attempts: 4 }, { blocks: true })).toEqual({ state: 'H', dueMs: 0 })
  expect(now({ state: 'X', attempts: 4 })).toEqual({ state: 'X', dueMs: 2000 })
  expect(now({ state: 'X', attempts: 4, dueMs: 1500 })).toBeUndefined()
})
