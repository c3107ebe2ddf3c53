import { randomBytes } from 'node:crypto'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { laneKeys, writeParked } from '../../runtime/lane-keys.ts'
import { getLag, sampleLag } from './lag.ts'
import { etaMs } from './lag-samples.ts'
import { laneOf } from './subject.ts'
import { newSubject, openTestLog, type TestLog } from './test-log.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

function sourcesOf(ends: Map<number, number>, starts = new Map<number, number>()) {
  const samplesPrefix = `ferry:{test-${randomBytes(4).toString('hex')}}:lag:`
  const offsets = {
    endOffsets: async () => ends,
    startOffsets: async () => starts,
    offsetsAt: async () => new Map<number, number>(),
  }
  return { redis: log.redis, offsets, samplesPrefix }
}

test('the lag is what lies between cursor and end, and the floor is the lowest delivery that waits in its first round', async () => {
  const subject = newSubject()
  const [zero, one] = [laneKeys(laneOf(subject, 0)), laneKeys(laneOf(subject, 1))]
  const parked = (round: number) =>
    writeParked({
      ...{ state: 'P', keyHash: 5, attempts: 1, unpaid: 0, firstMs: 1, lastMs: 1, dueMs: 1, round, bytes: 1, where: 'R' },
      ...{ batch: undefined, stale: false, newKey: false },
    })
  await log.redis.hset(zero.lane, { cursor: 100 })
  await log.redis.hset(zero.parked, { 20: parked(1), 40: parked(0), 90: parked(0) })
  await log.redis.hset(one.lane, { cursor: 7 })
  const sources = sourcesOf(
    new Map([
      [1, 7],
      [0, 130],
      [2, 50],
    ]),
    new Map([[2, 45]]),
  ) // prettier-ignore
  expect(await getLag(sources, subject, 0)).toEqual({
    ...{ records: 35, parked: 3, etaMs: undefined, lagMs: expect.any(Number), rates: undefined },
    partitions: [
      { partition: 0, cursor: 100, floor: 40, end: 130, parked: 3 },
      { partition: 1, cursor: 7, floor: 7, end: 7, parked: 0 },
      { partition: 2, cursor: 45, floor: 45, end: 50, parked: 0 },
    ],
  })
})

test('the time until the lag is gone comes from how it moved in the last minute', async () => {
  const subject = newSubject()
  const ends = new Map([[0, 1000]])
  const sources = sourcesOf(ends)
  const { lane } = laneKeys(laneOf(subject, 0))
  const at = 1_000_000
  await log.redis.hset(lane, { cursor: 0 })
  await sampleLag(sources, subject, at)
  // In 40 s the lane settled 400 and Kafka got 200: 800 are left, and 5 a second go.
  await log.redis.hset(lane, { cursor: 400 })
  ends.set(0, 1200)
  expect(await getLag(sources, subject, at + 40_000)).toMatchObject({
    ...{ records: 800, etaMs: 160_000, rates: { settled: 10, appended: 5 } },
  })
  expect(await getLag(sources, subject, at + 100_000)).toMatchObject({ records: 800, etaMs: undefined })
  ends.set(0, 1600)
  expect(await getLag(sources, subject, at + 40_000)).toMatchObject({ records: 1200, etaMs: undefined })
  ends.set(0, 400)
  expect(await getLag(sources, subject, at + 40_000)).toMatchObject({ records: 0, etaMs: 0 })
})

test('no more than a minute of samples is kept, and they go when nobody samples', async () => {
  const subject = newSubject()
  const sources = sourcesOf(new Map([[0, 10]]))
  for (let at = 0; at < 30; at++) await sampleLag(sources, subject, at * 10_000)
  const key = sources.samplesPrefix + subject.uid
  expect(await log.redis.llen(key)).toBe(10)
  expect(await log.redis.pttl(key)).toBeGreaterThan(0)
})

test('a lag that shrinks evenly is gone when it says', () => {
  fc.assert(
    fc.property(fc.integer({ min: 5, max: 60 }), fc.integer({ min: 1, max: 1000 }), fc.nat(100_000), (ageS, perSecond, left) => {
      const now = { timeMs: 1_000_000, records: left }
      const before = { timeMs: now.timeMs - ageS * 1000, records: left + perSecond * ageS }
      expect(etaMs([before], now)).toBe(Math.round((left / perSecond) * 1000))
    }),
  )
})
