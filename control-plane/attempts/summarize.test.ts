import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { durationMs, timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Purpose } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { SummarizeRequestSchema } from '../../proto/gen/ferry/v1/summary_pb.ts'
import type { Subject } from './subject.ts'
import { summarize } from './summarize.ts'
import { planSummary, type SummaryPlan } from './summary-plan.ts'
import { newSubject, openTestLog, type TestLog } from './test-log.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

const minute = 60_000
/** The beginning of the hour before the last one. */
const hour = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 7_200_000

const ask = (subject: Subject, given: MessageInitShape<typeof SummarizeRequestSchema>) => {
  const request = create(SummarizeRequestSchema, given)
  return summarize(log.reader, subject, planSummary(request, Date.now()) as SummaryPlan, request.purposes, Date.now())
}
const time = (fromMs: number, toMs: number) => ({ fromTime: timestampFromMs(fromMs), toTime: timestampFromMs(toMs) })

test('attempts are counted by outcome and status, by minutes and by hours', async () => {
  const subject = newSubject()
  await log.insertAttempts(subject, [
    { offset: 1, sentMs: hour + 1000, latencyMs: 10 },
    { offset: 2, sentMs: hour + 2000, latencyMs: 10 },
    { offset: 2, item: 1, sentMs: hour + 2000, latencyMs: 10 },
    { offset: 3, sentMs: hour + 3000, latencyMs: 500, outcome: 'RETRY', status: 0, reason: 'TIMEOUT' },
    { offset: 4, sentMs: hour + 30 * minute, latencyMs: 20, outcome: 'FAILED', status: 422 },
    { offset: 5, sentMs: hour + 30 * minute, attempt: 0, latencyMs: 0, outcome: 'FAILED', status: 0, reason: 'DECODE_FAILED' },
    { offset: 6, sentMs: hour + 30 * minute, outcome: 'SUPERSEDED', status: 0, attempt: 0, latencyMs: 0 },
    { offset: 7, sentMs: hour + 30 * minute, outcome: 'RETRY', status: 503, latencyMs: 20 },
    { offset: 8, sentMs: hour + 30 * minute, outcome: 'SKIPPED', status: 302, latencyMs: 20 },
    { offset: 9, sentMs: hour + 30 * minute, purpose: 'SHADOW', replay: 'r' },
  ])
  const first = { attempts: 4n, requests: 3n, delivered: 3n, retried: 1n, failed: 0n, unanswered: 1n, status2xx: 3n }
  const total = {
    ...{ attempts: 9n, requests: 6n, delivered: 3n, failed: 2n, skipped: 1n, superseded: 1n, retried: 2n, unanswered: 1n },
    ...{ status1xx: 0n, status2xx: 3n, status3xx: 1n, status4xx: 1n, status5xx: 1n },
  }
  const byMinute = await ask(subject, { ...time(hour, hour + 60 * minute), interval: { seconds: 60n } })
  expect(byMinute.intervals).toHaveLength(60)
  expect(byMinute.intervals.map((each) => timestampMs(each.startTime!) - hour)).toEqual(
    Array.from({ length: 60 }, (_, index) => index * minute),
  )
  expect(byMinute.intervals[0]!.summary).toMatchObject(first)
  expect(byMinute.intervals[1]!.summary).toMatchObject({ attempts: 0n, attemptsPerSecond: 0 })
  expect(byMinute.intervals[1]!.summary!.latencyP50).toBeUndefined()
  expect(byMinute.total).toMatchObject(total)
  expect(byMinute.intervals[0]!.summary!.attemptsPerSecond).toBeCloseTo(4 / 60)
  expect(byMinute.intervals[0]!.summary!.deliveredPerSecond).toBeCloseTo(3 / 60)
  const { latencyP50, latencyMax } = byMinute.intervals[0]!.summary!
  expect(Math.abs(durationMs(latencyP50!) - 10)).toBeLessThan(0.2)
  expect(durationMs(latencyMax!)).toBe(500)
  const byHour = await ask(subject, { ...time(hour - 3_600_000, hour + 3_600_000), interval: { seconds: 3600n } })
  expect(byHour.intervals.map((each) => each.summary!.attempts)).toEqual([0n, 9n])
  expect(byHour.total).toMatchObject(total)
  expect(byHour.intervals[1]!.summary).toMatchObject({ latencyP99: byMinute.total!.latencyP99 })
  const shadows = await ask(subject, { ...time(hour, hour + 60 * minute), purposes: [Purpose.SHADOW] })
  expect(shadows.total).toMatchObject({ attempts: 1n, delivered: 1n })
})

test('quantiles are within 1 %', async () => {
  const subject = newSubject()
  const latencies = Array.from({ length: 2000 }, (_, index) => 1 + ((index * 7919) % 2000))
  await log.insertAttempts(
    subject,
    latencies.map((latencyMs, offset) => ({ offset, latencyMs, sentMs: hour + (offset % 120) * 1000 })),
  )
  const { total } = await ask(subject, time(hour, hour + 5 * minute))
  for (const [quantile, duration] of [
    [1000, total!.latencyP50],
    [1900, total!.latencyP95],
    [1980, total!.latencyP99],
  ] as const)
    expect(Math.abs(durationMs(duration!) - quantile) / quantile).toBeLessThan(0.011)
})

test('the interval that is not over counts by what is over of it', async () => {
  const subject = newSubject()
  await log.insertAttempts(
    subject,
    Array.from({ length: 30 }, (_, offset) => ({ offset, sentMs: Date.now() - 1000 })),
  )
  const { intervals } = await ask(subject, { interval: { seconds: 86_400n } })
  const seconds = (Date.now() / 1000) % 86_400
  expect(intervals.at(-1)!.summary!.attemptsPerSecond / (30 / seconds)).toBeCloseTo(1, 1)
})

test('an insert that is repeated, as one from the spool may be, counts once', async () => {
  const subject = newSubject()
  const rows = [
    { offset: 1, sentMs: hour },
    { offset: 2, sentMs: hour },
  ]
  await log.insertAttempts(subject, rows, 'token-of-the-first')
  await log.insertAttempts(subject, rows, 'token-of-the-first')
  for (const seconds of [60n, 3600n]) {
    const { total } = await ask(subject, { ...time(hour, hour + 3_600_000), interval: { seconds } })
    expect(total).toMatchObject({ attempts: 2n, delivered: 2n })
  }
})

test('sums outlive the attempts', async () => {
  const subject = newSubject()
  const sentMs = Date.now() - 90 * 86_400_000
  await log.insertAttempts(subject, [{ offset: 1, sentMs, expireMs: sentMs + 3_600_000 }])
  const { total } = await ask(subject, time(sentMs - minute, sentMs + minute))
  expect(total).toMatchObject({ attempts: 1n })
})
