import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Subject } from './subject.ts'
import { newSubject, openTestLog, type TestLog } from './test-log.ts'
import { type Around, setLaneState, verifyAround } from './test-verify.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

const day = 86_400_000
const delivered = (from: number, to: number, sentMs: number, partition = 0) =>
  Array.from({ length: to - from }, (_, index) => ({ partition, offset: from + index, sentMs }))

/** One partition of 100 offsets, of which all is delivered unless the test says otherwise. */
async function wholeLane(sentMs = Date.now() - 60_000): Promise<Subject> {
  const subject = newSubject()
  await setLaneState(log, subject, 0, 100, {}, 'id')
  await log.insertAttempts(subject, delivered(0, 100, sentMs))
  return subject
}

const verify = (subject: Subject, around: Around = {}, ends: readonly number[] = [100]) =>
  verifyAround(log, subject, ends, around)

test('a range by times is from the first record at or after one to the first at or after the other, in each partition', async () => {
  const subject = await wholeLane()
  await setLaneState(log, subject, 1, 50)
  await log.insertAttempts(subject, delivered(0, 50, Date.now() - 60_000, 1))
  const offsetsAt = (timeMs: number) => (timeMs === 1000 ? [10, undefined] : [60, undefined])
  const ends = [100, 50]
  const both = await verify(subject, { fromMs: 1000, toMs: 2000, offsetsAt }, ends)
  expect(both.partitions.map(({ partition, from, to }) => [partition, from, to])).toEqual([
    [0, 10, 60],
    [1, 50, 50],
  ])
  expect(both).toMatchObject({ complete: true, total: { delivered: 50 } })
  const until = await verify(subject, { toMs: 2000, offsetsAt }, ends)
  expect(until.partitions.map(({ from, to }) => [from, to])).toEqual([
    [0, 60],
    [0, 50],
  ])
  const one = { partition: 0, from: undefined, to: 20 }
  const since = await verify(subject, { fromMs: 1000, offsetsAt, ranges: [one] }, ends)
  expect(since.partitions.map(({ from, to }) => [from, to])).toEqual([[10, 20]])
})

test('where Kafka has deleted the records of that time, the log says where they were', async () => {
  const subject = newSubject()
  const nowMs = Date.now()
  await setLaneState(log, subject, 0, 100, {}, 'id')
  for (const hour of [5, 4, 3, 2, 1]) {
    const from = (5 - hour) * 20
    await log.insertAttempts(subject, delivered(from, from + 20, nowMs - hour * 3_600_000))
  }
  // Kafka still has what is from 60 on, and finds nothing earlier.
  const around = { starts: [60], offsetsAt: (timeMs: number) => [timeMs < nowMs - 2.5 * 3_600_000 ? 60 : 80] }
  const early = await verify(subject, { ...around, fromMs: nowMs - 4.5 * 3_600_000, toMs: nowMs - 3.5 * 3_600_000 })
  expect(early.partitions[0]).toMatchObject({ from: 20, to: 40, counts: { delivered: 20 } })
  const late = await verify(subject, { ...around, fromMs: nowMs - 1.5 * 3_600_000 })
  expect(late.partitions[0]).toMatchObject({ from: 80, to: 100 })
})

test('a time and an offset for the same end, and times the wrong way round, are refused with everything else', async () => {
  const subject = await wholeLane()
  const ranges = [{ partition: 0, from: 1, to: 200 }]
  const asked = verify(subject, { fromMs: 2000, toMs: 1000, ranges })
  const violations = await asked.catch(({ violations }) => violations.map((each: { field: string }) => each.field))
  expect(violations).toEqual(['to_time', 'ranges[0].from_offset', 'ranges[0].to_offset', 'ranges[0].to_offset'])
})

test('more offsets than one call counts are refused, with the way out', async () => {
  const subject = await wholeLane()
  expect((await verify(subject, { offsetsMax: 100 })).complete).toBe(true)
  await expect(verify(subject, { offsetsMax: 99 })).rejects.toMatchObject({
    code: 'LIMIT_EXCEEDED',
    message: expect.stringMatching(/has 100 offsets.*at most 99.*CreateVerification/),
  })
})

test('what is incomplete says why, each reason for itself', async () => {
  const subject = await wholeLane()
  expect(await verify(subject)).toMatchObject({ complete: true, incompleteReasons: [], warnings: [], topicId: 'id' })
  expect((await verify(subject, {}, [120])).incompleteReasons).toEqual(['ON_THE_WAY'])
  expect((await verify(subject, { spooled: 1 })).incompleteReasons).toEqual(['SPOOL_NOT_DRAINED'])
  const lost = newSubject()
  await log.insertAttempts(lost, delivered(0, 90, Date.now()))
  expect((await verify(lost)).incompleteReasons).toEqual(['ON_THE_WAY', 'LANE_STATE_UNKNOWN'])
  // All that was asked for has ended: that its lane is unknown changes nothing.
  expect((await verify(lost, {}, [90])).complete).toBe(true)
  await setLaneState(log, lost, 0, 100)
  expect(await verify(lost)).toMatchObject({ incompleteReasons: ['MISSING'], partitions: [{ floor: 100 }] })
})

test('a topic that was created again, or cut, proves nothing by the outcomes of its offsets', async () => {
  const subject = await wholeLane()
  const again = await verify(subject, { topicId: 'another' }, [50])
  expect(again).toMatchObject({ complete: false, incompleteReasons: ['TOPIC_CHANGED'], total: { delivered: 50 } })
  expect((await verify(subject, {}, [50])).incompleteReasons).toEqual(['TOPIC_CHANGED'])
  // Records came, and were delivered, after the ends were read.
  expect((await verify(subject, { endsLater: [100] }, [50])).incompleteReasons).toEqual([])
})

test('what Kafka deleted unread, and what lies before the start, are holes with a warning and no loss', async () => {
  const subject = newSubject()
  await setLaneState(log, subject, 0, 100, {}, 'id')
  await log.insertRange(subject, 0, 'BEFORE_START', [[0, 9]])
  await log.insertRange(subject, 0, 'RETENTION', [[10, 49]])
  await log.insertAttempts(subject, delivered(50, 100, Date.now()))
  const whole = await verify(subject)
  expect(whole).toMatchObject({ complete: true, warnings: ['DELETED_UNREAD'], total: { published: 50, holes: 40, missing: 0 } })
  const below = await verify(subject, { ranges: [{ partition: 0, from: 0, to: undefined }] })
  expect(below).toMatchObject({ complete: true, warnings: ['DELETED_UNREAD', 'BEFORE_START'], total: { holes: 50 } })
  expect(Object.fromEntries(below.total.holeCounts)).toEqual({ RETENTION: 40, BEFORE_START: 10 })
})

test('outcomes that the log has let go are expired and not missing; what is younger than its memory is missing', async () => {
  const subject = newSubject()
  const nowMs = Date.now()
  await setLaneState(log, subject, 0, 100, {}, 'id')
  // 0 to 39 ended long ago and are gone but for 30, which was parked for long; 40 to 99 are of this year, and 70 is lost.
  await log.insertAttempts(subject, [
    { offset: 30, sentMs: nowMs - 398 * day, recordMs: nowMs - 410 * day },
    ...delivered(40, 100, nowMs - 300 * day).filter(({ offset }) => offset !== 70),
  ])
  const old = await verify(subject, { createMs: nowMs - 600 * day })
  expect(old.total).toMatchObject({ published: 100, delivered: 60, expired: 39, missing: 1 })
  expect(old.incompleteReasons).toEqual(['MISSING', 'LOG_EXPIRED'])
  expect(old.partitions[0]!.missing).toEqual([{ first: 70, last: 70 }])
  const young = await verify(subject, { createMs: nowMs - 398 * day })
  expect(young.total).toMatchObject({ missing: 40, expired: 0 })
  const proven = await verify(subject, { createMs: nowMs - 600 * day, ranges: [{ partition: 0, from: 40, to: 70 }] })
  expect(proven).toMatchObject({ complete: true })
})
