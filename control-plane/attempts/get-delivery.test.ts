import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Delivery, DeliveryState, Outcome, Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { laneKeys, type ParkedEntry, writeParked } from '../../runtime/lane-keys.ts'
import { getDelivery } from './get-delivery.ts'
import { laneOf, type Subject } from './subject.ts'
import { newSubject, openTestLog, type TestLog } from './test-log.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

const end = 1000
const offsets = {
  endOffsets: async () => new Map([[0, end]]),
  startOffsets: async () => new Map([[0, 0]]),
}
const get = (subject: Subject, offset: number, partition = 0): Promise<Delivery> =>
  getDelivery({ log: log.reader, redis: log.redis, offsets }, { pageBytesMax: 3 << 20 }, subject, partition, offset)

const entry: ParkedEntry = {
  ...{ state: 'P', keyHash: undefined, attempts: 2, unpaid: 0, firstMs: 1000, lastMs: 2000, dueMs: 5000, round: 0, bytes: 10 },
  ...{ where: 'K', batch: undefined, stale: false, newKey: false },
}

async function setLane(subject: Subject, cursor: number, parked: Record<number, Partial<ParkedEntry>> = {}): Promise<void> {
  const keys = laneKeys(laneOf(subject, 0))
  await log.redis.hset(keys.lane, { epoch: 1, cursor })
  for (const [offset, more] of Object.entries(parked))
    await log.redis.hset(keys.parked, offset, writeParked({ ...entry, ...more }))
}

test('a delivery has its attempts of all rounds, oldest first and each once, and its outcome by the rule', async () => {
  const subject = newSubject()
  await setLane(subject, 100)
  const sentMs = Date.now() - 600_000
  const rows = [
    { offset: 7, attempt: 1, sentMs, outcome: 'RETRY', reason: 'TIMEOUT', status: 0 },
    { offset: 7, attempt: 2, sentMs: sentMs + 1000, outcome: 'FAILED', reason: 'MAX_RETRIES_REACHED', status: 503 },
    { offset: 7, round: 1, epoch: 200, sentMs: sentMs + 2000, outcome: 'DELIVERED', batch: 'rb' },
    { offset: 7, round: 2, epoch: 300, sentMs: sentMs + 3000, outcome: 'FAILED', batch: 'rb2' },
    { offset: 8, sentMs },
  ] as const
  await log.insertAttempts(subject, rows)
  await log.insertAttempts(subject, rows)
  const delivery = await get(subject, 7)
  expect(delivery.attempts.map(({ round, attempt }) => [round, attempt])).toEqual([
    [0, 1],
    [0, 2],
    [1, 1],
    [2, 1],
  ])
  expect(delivery).toMatchObject({
    state: DeliveryState.ENDED,
    outcome: Outcome.DELIVERED,
    reason: Reason.UNSPECIFIED,
    attemptCount: 4,
  })
})

test('a failed delivery says why', async () => {
  const subject = newSubject()
  await setLane(subject, 100)
  await log.insertAttempts(subject, [{ offset: 7, outcome: 'FAILED', reason: 'NON_RETRYABLE_STATUS' }])
  expect(await get(subject, 7)).toMatchObject({
    ...{ state: DeliveryState.ENDED, outcome: Outcome.FAILED, reason: Reason.NON_RETRYABLE_STATUS },
  })
})

test('a delivery that waits is where Redis says, with its next attempt when one is planned', async () => {
  const subject = newSubject()
  await setLane(subject, 100, { 1: {}, 2: { state: 'B' }, 3: { state: 'X' }, 4: { state: 'S' } })
  const next = timestampFromMs(5000)
  expect(await get(subject, 1)).toMatchObject({ state: DeliveryState.PARKED, outcome: 0, nextAttemptTime: next, attemptCount: 2 })
  const behind = await get(subject, 2)
  expect([behind.state, behind.nextAttemptTime]).toEqual([DeliveryState.BEHIND, undefined])
  expect(await get(subject, 3)).toMatchObject({ state: DeliveryState.EXHAUSTED, nextAttemptTime: next })
  const sending = await get(subject, 4)
  expect([sending.state, sending.nextAttemptTime]).toEqual([DeliveryState.SENDING, undefined])
})

test('a delivery that a retry batch has opened again waits with the outcome that it has', async () => {
  const subject = newSubject()
  await setLane(subject, 100, { 7: { round: 1 } })
  await log.insertAttempts(subject, [{ offset: 7, outcome: 'FAILED' }])
  expect(await get(subject, 7)).toMatchObject({ state: DeliveryState.PARKED, outcome: Outcome.FAILED, attemptCount: 3 })
})

test('a delivery whose end is in the log has ended, although Redis has not heard of it', async () => {
  const subject = newSubject()
  await setLane(subject, 100, { 7: { round: 1 } })
  await log.insertAttempts(subject, [{ offset: 7, round: 1, outcome: 'FAILED' }])
  expect(await get(subject, 7)).toMatchObject({ state: DeliveryState.ENDED, outcome: Outcome.FAILED })
})

test('a record above the cursor waits, or is being sent when the log has an attempt of it', async () => {
  const subject = newSubject()
  await setLane(subject, 100)
  await log.insertAttempts(subject, [{ offset: 101, outcome: 'RETRY' }])
  expect(await get(subject, 101)).toMatchObject({ state: DeliveryState.SENDING, outcome: 0 })
  expect(await get(subject, 102)).toMatchObject({ state: DeliveryState.WAITING, outcome: 0, attemptCount: 0 })
  expect(await get(newSubject(), 102)).toMatchObject({ state: DeliveryState.WAITING })
})

test('a record below the cursor of which nothing is known is said to be in no state', async () => {
  const subject = newSubject()
  await setLane(subject, 100)
  expect(await get(subject, 50)).toMatchObject({ state: DeliveryState.UNSPECIFIED, outcome: 0 })
})

test('a record without a value was skipped, and says so', async () => {
  const subject = newSubject()
  await setLane(subject, 100)
  await log.insertRange(subject, 0, 'TOMBSTONE', [
    [3, 3],
    [7, 9],
  ])
  await log.insertRange(subject, 0, 'OPERATOR', [[20, 20]], 'DELETED')
  await log.insertRange(subject, 0, 'RETENTION', [[7, 7]])
  expect(await get(subject, 7)).toMatchObject({ state: DeliveryState.ENDED, outcome: Outcome.SKIPPED, reason: Reason.TOMBSTONE })
  expect(await get(subject, 20)).toMatchObject({ outcome: Outcome.SKIPPED, reason: Reason.DELETED })
})

test('an offset that is no record, or not one yet, is not found, and the error says why', async () => {
  const subject = newSubject()
  await setLane(subject, 100)
  await log.insertRange(subject, 0, 'TRANSACTION', [[10, 11]])
  await log.insertRange(subject, 0, 'BEFORE_START', [[0, 4]])
  const missing = (words: string) => ({ code: 'DELIVERY_NOT_FOUND', message: expect.stringContaining(words) })
  await expect(get(subject, 10)).rejects.toMatchObject(missing('transaction'))
  await expect(get(subject, 4)).rejects.toMatchObject(missing('starts after'))
  await expect(get(subject, end)).rejects.toMatchObject(missing(`the next record gets ${end}`))
  await expect(get(subject, 1, 9)).rejects.toMatchObject(missing('no partition 9'))
  expect((await get(subject, end - 1)).state).toBe(DeliveryState.WAITING)
})

test('a delivery with very many attempts answers its last thousand', async () => {
  const subject = newSubject()
  await setLane(subject, 100, { 7: { attempts: 1200 } })
  const sentMs = Date.now() - 3_600_000
  const rows = Array.from({ length: 1200 }, (_, index) => ({
    ...{ offset: 7, attempt: index + 1, sentMs: sentMs + index, outcome: 'RETRY' as const },
  }))
  await log.insertAttempts(subject, rows)
  const { attempts, attemptCount } = await get(subject, 7)
  expect([attempts.length, attempts[0]!.attempt, attempts.at(-1)!.attempt, attemptCount]).toEqual([1000, 201, 1200, 1200])
})
