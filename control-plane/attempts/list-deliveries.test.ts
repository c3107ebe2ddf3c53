import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DeliveryFilterSchema } from '../../proto/gen/ferry/v1/deliveries_pb.ts'
import { type Delivery, DeliveryState, Outcome, Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { laneKeys, type ParkedEntry, writeParked } from '../../runtime/lane-keys.ts'
import { listFailureGroups } from './failure-groups.ts'
import { type DeliveryPage, listDeliveries } from './list-deliveries.ts'
import { LogReader } from './log-reader.ts'
import { laneOf, type Subject } from './subject.ts'
import { newSubject, openTestLog, type TestLog } from './test-log.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

const minute = 60_000
const limits = { pageBytesMax: 3 << 20, windowsMax: 100, searchMsMax: 60_000 }
type Filter = MessageInitShape<typeof DeliveryFilterSchema>
interface More {
  readonly pageSize?: number
  readonly pageToken?: string
  readonly limits?: Partial<typeof limits>
}

const list = (subject: Subject, ends: readonly number[], filter: Filter = {}, more: More = {}): Promise<DeliveryPage> => {
  const offsets = {
    endOffsets: async () => new Map(ends.map((end, partition) => [partition, end])),
    startOffsets: async () => new Map(ends.map((_, partition) => [partition, 0])),
  }
  const query = { filter: create(DeliveryFilterSchema, filter), pageSize: more.pageSize ?? 0, pageToken: more.pageToken ?? '' }
  return listDeliveries({ log: log.reader, redis: log.redis, offsets }, subject, query, { ...limits, ...more.limits })
}

async function listAll(subject: Subject, ends: readonly number[], filter: Filter, more: More, between = async () => {}) {
  const found: Delivery[] = []
  const sizes: number[] = []
  let pageToken = ''
  do {
    const page = await list(subject, ends, filter, { ...more, pageToken })
    found.push(...page.deliveries)
    sizes.push(page.deliveries.length)
    pageToken = page.nextPageToken
    await between()
  } while (pageToken !== '')
  return { found, sizes }
}

const placesOf = (deliveries: readonly Delivery[]) => deliveries.map(({ partition, offset }) => `${partition}/${offset}`)
const offsetsOf = (page: DeliveryPage) => page.deliveries.map(({ offset }) => Number(offset))

const entry: ParkedEntry = {
  ...{ state: 'P', keyHash: undefined, attempts: 2, unpaid: 0, firstMs: 1000, lastMs: 2000, dueMs: 5000, round: 0, bytes: 10 },
  ...{ where: 'K', batch: undefined, stale: false, newKey: false },
}

async function setLane(subject: Subject, partition: number, fields: object, parked: Record<number, Partial<ParkedEntry>> = {}) {
  const keys = laneKeys(laneOf(subject, partition))
  await log.redis.hset(keys.lane, { epoch: 1, ...fields })
  for (const [offset, more] of Object.entries(parked))
    await log.redis.hset(keys.parked, offset, writeParked({ ...entry, ...more }))
}

/** A lane with a delivery in every state. */
async function everything(): Promise<Subject> {
  const subject = newSubject()
  const sentMs = Date.now() - 10 * minute
  const parked = {
    4: {},
    5: { state: 'B', attempts: 0, lastMs: 0 },
    6: { state: 'X' },
    7: { state: 'H' },
    8: { state: 'D' },
  } as const
  await setLane(subject, 0, { cursor: 20, ended: '22-23' }, { ...parked, 9: { state: 'S' }, 10: { round: 1, batch: 'rb-1' } })
  await log.insertRange(subject, 0, 'BEFORE_START', [[0, 0]])
  await log.insertRange(subject, 0, 'FILTERED', [[11, 12]], 'FILTERED')
  await log.insertRange(subject, 0, 'COMPACTED', [
    [13, 13],
    [25, 25],
  ])
  const failed = { outcome: 'FAILED', status: 422, responseBody: 'no order 7' } as const
  await log.insertAttempts(subject, [
    { offset: 1, sentMs, key: 'k1', latencyMs: 0 },
    { offset: 2, sentMs: sentMs + 1000, latencyMs: 0, key: 'k2', ...failed },
    { offset: 3, sentMs, outcome: 'SUPERSEDED', reason: 'NEWER_VERSION', status: 0 },
    { offset: 4, sentMs: sentMs + 5000, key: 'k1', outcome: 'RETRY', reason: 'TIMEOUT', status: 0, error: 'no answer in 5 s' },
    { offset: 10, sentMs, ...failed },
    { offset: 21, sentMs, outcome: 'RETRY', reason: 'RETRYABLE_STATUS', status: 503, responseBody: 'later' },
    { offset: 22, sentMs },
    { offset: 23, sentMs, round: 1, batch: 'rb-1' },
    ...[14, 15, 16, 17, 18, 19].map((offset) => ({ offset, sentMs })),
  ])
  return subject
}

test('each delivery is listed as what it is, the highest offsets first', async () => {
  const subject = await everything()
  const { deliveries, nextPageToken } = await list(subject, [27])
  expect(nextPageToken).toBe('')
  const { ENDED, PARKED, BEHIND, EXHAUSTED, BLOCKED, DEAD_LETTER, SENDING, WAITING } = DeliveryState
  expect(deliveries.map(({ offset, state, outcome }) => [Number(offset), state, outcome])).toEqual([
    [26, WAITING, 0],
    [24, WAITING, 0],
    [23, ENDED, Outcome.DELIVERED],
    [22, ENDED, Outcome.DELIVERED],
    [21, SENDING, 0],
    [20, WAITING, 0],
    ...[19, 18, 17, 16, 15, 14].map((offset) => [offset, ENDED, Outcome.DELIVERED]),
    [12, ENDED, Outcome.SKIPPED],
    [11, ENDED, Outcome.SKIPPED],
    [10, PARKED, Outcome.FAILED],
    [9, SENDING, 0],
    [8, DEAD_LETTER, 0],
    [7, BLOCKED, 0],
    [6, EXHAUSTED, 0],
    [5, BEHIND, 0],
    [4, PARKED, 0],
    [3, ENDED, Outcome.SUPERSEDED],
    [2, ENDED, Outcome.FAILED],
    [1, ENDED, Outcome.DELIVERED],
  ])
  const at = (offset: number) => deliveries.find((each) => each.offset === BigInt(offset))
  expect(at(2)).toMatchObject({
    ...{ useCase: subject.name, uid: subject.uid, topic: subject.topic, reason: Reason.NON_RETRYABLE_STATUS, status: 422 },
    ...{ text: 'no order 7', key: 'k2', attemptCount: 1, attempts: [], retryBatch: '' },
    failureGroup: expect.stringMatching(/^422-NON_RETRYABLE_STATUS-[0-9a-f]{16}$/),
  })
  expect(at(2)!.endTime).toEqual(at(2)!.lastAttemptTime)
  expect(at(4)).toMatchObject({
    ...{ reason: Reason.TIMEOUT, status: 0, text: 'no answer in 5 s', attemptCount: 2, nextAttemptTime: timestampFromMs(5000) },
    failureGroup: '',
  })
  expect([at(4)!.endTime, at(11)!.endTime]).toEqual([undefined, undefined])
  expect(at(10)!.retryBatch).toBe(`${subject.name}/retryBatches/rb-1`)
  expect(at(11)).toMatchObject({ reason: Reason.FILTERED, attemptCount: 0 })
})

test('each filter selects what it says', async () => {
  const subject = await everything()
  const groups = await listFailureGroups(log.reader, subject, undefined, 0)
  const sentMs =
    Number((await list(subject, [27], { key: 'k1', states: [DeliveryState.ENDED] })).deliveries[0]!.endTime!.seconds) * 1000
  const { ENDED, PARKED, BEHIND, EXHAUSTED, BLOCKED, DEAD_LETTER, SENDING, WAITING } = DeliveryState
  const cases: [Filter, number[]][] = [
    [{ states: [WAITING] }, [26, 24, 20]],
    [{ states: [SENDING] }, [21, 9]],
    [{ states: [WAITING, SENDING] }, [26, 24, 21, 20, 9]],
    [{ states: [PARKED] }, [10, 4]],
    [{ states: [BEHIND, EXHAUSTED] }, [6, 5]],
    [{ states: [BLOCKED, DEAD_LETTER] }, [8, 7]],
    [{ states: [ENDED], partition: 0, toOffset: 15n }, [14, 12, 11, 3, 2, 1]],
    [{ states: [ENDED], outcomes: [Outcome.SKIPPED] }, [12, 11]],
    [{ outcomes: [Outcome.FAILED] }, [10, 2]],
    [{ outcomes: [Outcome.FAILED], states: [PARKED] }, [10]],
    [{ outcomes: [Outcome.SUPERSEDED, Outcome.SKIPPED] }, [12, 11, 3]],
    [{ statuses: [422] }, [10, 2]],
    [{ statuses: [503] }, [21]],
    [{ reasons: [Reason.TIMEOUT, Reason.FILTERED] }, [12, 11, 4]],
    [{ reasons: [Reason.NEWER_VERSION] }, [3]],
    [{ key: 'k1' }, [4, 1]],
    [{ key: 'k1', states: [ENDED] }, [1]],
    [{ text: 'no order' }, [10, 2]],
    [{ text: 'no answer' }, [4]],
    [{ retryBatch: `${subject.name}/retryBatches/rb-1` }, [23, 10]],
    [{ failureGroup: groups.failureGroups[0]!.id }, [10, 2]],
    [{ partition: 0, fromOffset: 20n, toOffset: 22n }, [21, 20]],
    [{ fromTime: timestampFromMs(sentMs + 2000), states: [PARKED, ENDED] }, [4]],
    [{ toTime: timestampFromMs(sentMs - 5000) }, [9, 8, 7, 6]],
    [{ outcomes: [Outcome.DELIVERED], text: 'no order' }, []],
  ]
  for (const [filter, expected] of cases)
    expect([filter, offsetsOf(await list(subject, [27], filter))]).toEqual([filter, expected])
})

test('pages of any size hold every delivery once, over all partitions', async () => {
  const subject = newSubject()
  await setLane(subject, 0, { cursor: 300 }, { 7: {}, 150: {}, 299: {} })
  await setLane(subject, 2, { cursor: 5 })
  const ended = Array.from({ length: 300 }, (_, offset) => offset).filter((offset) => ![7, 150, 299].includes(offset))
  await log.insertAttempts(
    subject,
    [...ended, ...ended].map((offset) => ({ offset })),
  )
  const expected = [
    ...Array.from({ length: 310 }, (_, index) => `0/${309 - index}`),
    ...Array.from({ length: 3 }, (_, index) => `1/${2 - index}`),
    ...Array.from({ length: 3 }, (_, index) => `2/${7 - index}`),
  ]
  for (const pageSize of [40, 315, 1000]) {
    const { found, sizes } = await listAll(subject, [310, 3, 8], {}, { pageSize })
    expect(placesOf(found)).toEqual(expected)
    expect(sizes.slice(0, -1).every((size) => size === pageSize)).toBe(true)
  }
})

test('a delivery that changes its state while a caller turns pages is on one page all the same', async () => {
  const subject = newSubject()
  const offsets = Array.from({ length: 40 }, (_, offset) => offset)
  await setLane(subject, 0, { cursor: 40 }, Object.fromEntries(offsets.map((offset) => [offset, {}])))
  let next = 39
  const { found } = await listAll(subject, [40], {}, { pageSize: 6 }, async () => {
    for (const offset of [next--, 20 - next, next - 20]) {
      await log.insertAttempts(subject, [{ offset: Math.abs(offset) }])
      await log.redis.hdel(laneKeys(laneOf(subject, 0)).parked, String(Math.abs(offset)))
    }
    await log.insertAttempts(subject, [{ offset: 41, partition: 0 }])
  })
  expect(placesOf(found)).toEqual(offsets.map((offset) => `0/${39 - offset}`))
})

test('what is rare is found among very many, and a search that goes on for long says how far it came', async () => {
  const subject = newSubject()
  const failed = [3, 1_000_000, 4_000_000]
  await log.insertAttempts(
    subject,
    failed.map((offset) => ({ offset, outcome: 'FAILED' as const })),
  )
  await setLane(subject, 0, { cursor: 5_000_000 })
  const filter = { outcomes: [Outcome.FAILED] }
  expect(offsetsOf(await list(subject, [5_000_000], filter))).toEqual([4_000_000, 1_000_000, 3])
  const { found, sizes } = await listAll(subject, [5_000_000], filter, { limits: { windowsMax: 2 } })
  expect(placesOf(found)).toEqual(['0/4000000', '0/1000000', '0/3'])
  expect(sizes.length).toBeGreaterThan(2)
})

test('a page ends before it is too large for a client, and the next one goes on', async () => {
  const subject = newSubject()
  const rows = [0, 1, 2, 3, 4].map((offset) => ({ offset, outcome: 'FAILED' as const, responseBody: 'x'.repeat(300) }))
  await log.insertAttempts(subject, rows)
  await setLane(subject, 0, { cursor: 5 })
  const { found, sizes } = await listAll(subject, [5], {}, { limits: { pageBytesMax: 900 } })
  expect([placesOf(found).length, sizes]).toEqual([5, [2, 2, 1]])
})

test('every mistake is told at once, and a token of another list is refused', async () => {
  const subject = newSubject()
  const wrong = { fromOffset: 1n, retryBatch: 'rb-1', fromTime: timestampFromMs(2), toTime: timestampFromMs(1) }
  await expect(list(subject, [5], wrong)).rejects.toMatchObject({
    violations: [{ field: 'filter.to_time' }, { field: 'filter.from_offset' }, { field: 'filter.retry_batch' }],
  })
  await expect(list(subject, [5], { partition: 5 })).rejects.toMatchObject({ violations: [{ reason: 'PARTITION_NOT_FOUND' }] })
  const { nextPageToken } = await list(subject, [5], {}, { pageSize: 2 })
  const refused = { code: 'INVALID_PAGE_TOKEN' }
  await expect(list(subject, [5], { key: 'x' }, { pageToken: nextPageToken })).rejects.toMatchObject(refused)
})

test('a question that is too large is refused, and told how to narrow it', async () => {
  const subject = newSubject()
  await log.insertAttempts(
    subject,
    Array.from({ length: 5000 }, (_, offset) => ({ offset })),
  )
  const tight = new LogReader(log.clickhouse, { executionTimeoutMs: 5000, rowsToReadMax: 1000, groupBytesMax: 1 << 20 })
  const offsets = { endOffsets: async () => new Map([[0, 5000]]), startOffsets: async () => new Map([[0, 0]]) }
  const query = { filter: create(DeliveryFilterSchema, { text: 'nowhere' }), pageSize: 0, pageToken: '' }
  const asked = listDeliveries({ log: tight, redis: log.redis, offsets }, subject, query, limits)
  await expect(asked).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', message: expect.stringContaining('filter.from_offset') })
})
