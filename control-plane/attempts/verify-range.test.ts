import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { decidingRow } from './outcome-rule.ts'
import type { AskedRange } from './resolve-ranges.ts'
import type { Subject } from './subject.ts'
import { newSubject, openTestLog, type TestLog } from './test-log.ts'
import { type Around, setLaneState, verifyAround } from './test-verify.ts'
import type { Verification } from './verify-range.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

const verify = (
  subject: Subject,
  ends: number[],
  ranges: AskedRange[] = [],
  sliceOffsetsMax?: number,
  around: Around = {},
): Promise<Verification> => verifyAround(log, subject, ends, { ...around, ranges, ...(sliceOffsetsMax && { sliceOffsetsMax }) })

const setLane = (subject: Subject, partition: number, cursor: number, parked: Record<number, number> = {}): Promise<void> =>
  setLaneState(log, subject, partition, cursor, parked)

const delivered = (from: number, to: number, partition = 0) =>
  Array.from({ length: to - from }, (_, index) => ({ partition, offset: from + index }))

test('a whole use case of which everything was delivered is complete', async () => {
  const subject = newSubject()
  await Promise.all([setLane(subject, 0, 50), setLane(subject, 1, 20)])
  await log.insertAttempts(subject, [...delivered(0, 50), ...delivered(0, 20, 1)])
  const { complete, total, partitions } = await verify(subject, [50, 20])
  expect(complete).toBe(true)
  expect(total).toEqual({
    ...{ offsets: 70, published: 70, holes: 0, delivered: 70, failed: 0, skipped: 0, superseded: 0, onTheWay: 0, missing: 0 },
    ...{ expired: 0, repeated: 0, attempts: 70, outcomeCounts: new Map([['DELIVERED UNSPECIFIED', 70]]), holeCounts: new Map() },
  })
  expect(partitions.map(({ partition, from, to, missing }) => [partition, from, to, missing])).toEqual([
    [0, 0, 50, []],
    [1, 0, 20, []],
  ])
})

test('while inserts wait in the spool nothing is missing, and nothing is complete', async () => {
  const subject = newSubject()
  await setLane(subject, 0, 50)
  await log.insertAttempts(subject, delivered(0, 40))
  const drained = await verify(subject, [50])
  expect([drained.complete, drained.spooledInserts, drained.total.missing, drained.total.onTheWay]).toEqual([false, 0, 10, 0])
  const waiting = await verify(subject, [50], [], undefined, { spooled: 3 })
  expect([waiting.complete, waiting.spooledInserts, waiting.total.missing, waiting.total.onTheWay]).toEqual([false, 3, 0, 10])
  expect(waiting.partitions[0]!.missing).toEqual([])
  const whole = await verify(subject, [40], [], undefined, { spooled: 1 })
  expect([whole.complete, whole.total.delivered]).toEqual([false, 40])
})

test('every kind of end, every kind of range, gaps, repeats and what waits are told apart', async () => {
  const subject = newSubject()
  // 0 to 9 before the start; 30 waits, so the floor is 30; 80 was opened again by a retry batch; the cursor is 90; the end 100.
  await setLane(subject, 0, 90, { 30: 0, 80: 1 })
  await log.insertRange(subject, 0, 'BEFORE_START', [[0, 9]])
  await log.insertRange(subject, 0, 'TOMBSTONE', [[12, 12]])
  await log.insertRange(subject, 0, 'FILTERED', [
    [13, 14],
    [16, 16],
  ])
  await log.insertRange(subject, 0, 'OPERATOR', [[15, 16]], 'because')
  await log.insertRange(subject, 0, 'TRANSACTION', [[40, 41]])
  await log.insertRange(subject, 0, 'TRANSACTION', [[41, 42]])
  await log.insertRange(subject, 0, 'COMPACTED', [[43, 44]])
  await log.insertRange(subject, 0, 'RETENTION', [[45, 45]])
  await log.insertRange(subject, 0, 'TRUNCATED', [[46, 46]])
  const known = new Set([11, 12, 13, 14, 15, 16, 20, 21, 22, 23, 25, 30, 40, 41, 42, 43, 44, 45, 46, 50, 80, 95])
  await log.insertAttempts(subject, [
    ...delivered(10, 90).filter(({ offset }) => !known.has(offset)),
    { offset: 11, attempt: 1, outcome: 'RETRY' },
    { offset: 11, attempt: 2 },
    { offset: 20, outcome: 'FAILED' },
    { offset: 21, outcome: 'SKIPPED', reason: 'DELETED', attempt: 0 },
    { offset: 22, outcome: 'SUPERSEDED', reason: 'NEWER_DELIVERED' },
    // Failed, then delivered by a retry batch, then failed by another: delivered.
    { offset: 23, outcome: 'FAILED' },
    { offset: 23, round: 1 },
    { offset: 23, round: 2, outcome: 'FAILED' },
    // 25 is below the floor and has nothing; 50 is above it and has nothing; 30 waits, after one attempt.
    { offset: 30, outcome: 'RETRY' },
    { offset: 80, outcome: 'FAILED' },
    { offset: 95 },
  ])
  // Delivered again by another epoch, and the very same row once more.
  await log.insertAttempts(subject, [
    { offset: 10, epoch: 200 },
    { offset: 10, epoch: 300 },
    { offset: 60, epoch: 200 },
  ])
  await log.insertAttempts(subject, [{ offset: 60, epoch: 200 }])
  const { total, partitions, complete } = await verify(subject, [100])
  const open = 1 + 1 + 9 // 30, 50, and 90 to 99 without 95
  expect(total).toMatchObject({ offsets: 90, holes: 7, published: 83, failed: 2, skipped: 5 + 1, superseded: 1 })
  expect(total).toMatchObject({ onTheWay: open, missing: 1, repeated: 3, delivered: 83 - 2 - 6 - 1 - open - 1 })
  expect(total.attempts).toBe(59 + 11 + 3)
  expect(partitions[0]!.missing).toEqual([{ first: 25, last: 25 }])
  expect(complete).toBe(false)
  expect(Object.fromEntries(total.outcomeCounts)).toMatchObject({
    ...{
      'FAILED NON_RETRYABLE_STATUS': 2,
      'SKIPPED FILTERED': 3,
      'SKIPPED TOMBSTONE': 1,
      'SKIPPED because': 1,
      'SKIPPED DELETED': 1,
    },
  })
  expect(Object.fromEntries(total.holeCounts)).toEqual({ TRANSACTION: 3, COMPACTED: 2, RETENTION: 1, TRUNCATED: 1 })

  const part = await verify(subject, [100], [{ partition: 0, from: 5, to: 26 }])
  expect(part.total).toMatchObject({ offsets: 21, holes: 5, published: 16, missing: 1, onTheWay: 0, repeated: 2 })

  for (const sliceOffsetsMax of [3, 7, 89]) {
    const piecemeal = await verify(subject, [100], [], sliceOffsetsMax)
    expect(piecemeal).toMatchObject({ total, partitions, spooledInserts: 0, complete })
  }
})

test('outcomes and repeats are those of a second implementation, whatever the rows', async () => {
  const row = fc.record({
    round: fc.nat(2),
    epoch: fc.constantFrom(1, 2 ** 52 + 1, 2 ** 52 + 3),
    attempt: fc.nat(2),
    outcome: fc.constantFrom('DELIVERED', 'FAILED', 'FAILED', 'SKIPPED', 'SUPERSEDED'),
  })
  const delivery = fc.uniqueArray(row, {
    selector: (each) => `${each.round} ${each.epoch} ${each.attempt}`,
    minLength: 1,
    maxLength: 6,
  })
  const deliveries = fc.sample(delivery, { numRuns: 500, seed: 11 })
  const subject = newSubject()
  const rows = deliveries.flatMap((list, offset) => list.map((each) => ({ ...each, offset }) as const))
  await log.insertAttempts(subject, rows)
  await log.insertAttempts(subject, rows.slice(0, 300))
  const count = (outcome: string): number => deliveries.filter((list) => decidingRow(list)?.outcome === outcome).length
  const took = deliveries.map((list) => list.filter(({ outcome }) => outcome === 'DELIVERED').length)
  expect((await verify(subject, [500])).total).toMatchObject({
    ...{ delivered: count('DELIVERED'), failed: count('FAILED'), skipped: count('SKIPPED'), superseded: count('SUPERSEDED') },
    ...{ repeated: took.reduce((sum, times) => sum + Math.max(0, times - 1), 0), attempts: rows.length },
  })
})

test('nothing is missing where the state of the lane is lost: all may be on its way', async () => {
  const subject = newSubject()
  await log.insertAttempts(subject, delivered(0, 5))
  expect((await verify(subject, [8])).total).toMatchObject({ delivered: 5, onTheWay: 3, missing: 0 })
})

test('missing offsets are told as runs, the first hundred', async () => {
  const subject = newSubject()
  await setLane(subject, 0, 1000)
  await log.insertAttempts(
    subject,
    delivered(0, 1000).filter(({ offset }) => offset % 4 !== 1 && offset % 4 !== 2),
  )
  const { total, partitions } = await verify(subject, [1000])
  expect(total.missing).toBe(500)
  expect(partitions[0]!.missing.length).toBe(100)
  expect(partitions[0]!.missing.slice(0, 2)).toEqual([
    { first: 1, last: 2 },
    { first: 5, last: 6 },
  ])
})

test('every mistake in the ranges is told at once', async () => {
  const range = (partition: number, from?: number, to?: number): AskedRange => ({ partition, from, to })
  const asked = verify(newSubject(), [100, 50], [range(7), range(0, 5, 101), range(0), range(1, 60), range(1, 9, 8)])
  await expect(asked).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  const violations = await asked.catch(({ violations }) => violations.map((each: { field: string }) => each.field))
  expect(violations).toEqual([
    'ranges[0].partition',
    'ranges[1].to_offset',
    'ranges[2].partition',
    'ranges[3].from_offset',
    'ranges[4].partition',
    'ranges[4].to_offset',
  ])
})

test('a million offsets are counted in seconds', async () => {
  const subject = newSubject()
  const size = 1_000_000
  await setLane(subject, 0, size)
  const piece = size / 5
  for (let from = 0; from < size; from += piece)
    await log.clickhouse.command({
      query: `INSERT INTO attempt_inserts (uid, cluster, topic, offset, epoch, attempt, attempt_time, expire_time, outcome, purpose)
        SELECT {uid: String}, 'default', {topic: String}, number, 1, 1, now() - 3600, now() + 3600,
          if(number % 100 = 7, 'FAILED', 'DELIVERED'), 'DELIVER' FROM numbers({from: UInt64}, {piece: UInt64}) WHERE number % 1000 != 500`,
      query_params: { uid: subject.uid, topic: subject.topic, from, piece },
    })
  await log.insertRange(
    subject,
    0,
    'TRANSACTION',
    Array.from({ length: 999 }, (_, index) => [index * 1000 + 500, index * 1000 + 500]),
  )
  const started = performance.now()
  const { total } = await verify(subject, [size])
  const tookMs = performance.now() - started
  expect(total).toMatchObject({ offsets: size, holes: 999, failed: 10_000, missing: 1, onTheWay: 0, attempts: size - 1000 })
  expect(tookMs).toBeLessThan(30_000)
}, 120_000)
