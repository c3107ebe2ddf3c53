import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AttemptFilterSchema } from '../../proto/gen/ferry/v1/attempt_filter_pb.ts'
import { Outcome, Purpose, Reason, Trigger } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { listFailureGroups } from './failure-groups.ts'
import { LogReader } from './log-reader.ts'
import { type AttemptPage, listAttempts } from './query.ts'
import { QueryError } from './query-error.ts'
import type { Subject } from './subject.ts'
import { newSubject, openTestLog, type TestLog } from './test-log.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

const minute = 60_000
const limits = { pageBytesMax: 3 << 20 }

type Filter = MessageInitShape<typeof AttemptFilterSchema>
const list = (
  subject: Subject,
  filter: Filter = {},
  more: { pageSize?: number; pageToken?: string } = {},
): Promise<AttemptPage> =>
  listAttempts(
    log.reader,
    subject,
    { filter: create(AttemptFilterSchema, filter), pageSize: 0, pageToken: '', ...more },
    limits,
    Date.now(),
  )
const offsetsOf = (page: AttemptPage): number[] => page.attempts.map((each) => Number(each.offset))

async function listAll(subject: Subject, pageSize: number, between: () => Promise<void> = async () => {}): Promise<string[]> {
  const found: string[] = []
  let pageToken = ''
  do {
    const page = await list(subject, {}, { pageSize, pageToken })
    found.push(...page.attempts.map((each) => `${each.partition}/${each.offset}/${each.round}/${each.attempt}`))
    pageToken = page.nextPageToken
    await between()
  } while (pageToken !== '')
  return found
}

test('attempts are listed newest first, with everything that the log has of them', async () => {
  const subject = newSubject()
  const sentMs = Date.now() - 5 * minute
  await log.insertAttempts(subject, [
    { offset: 1, sentMs: sentMs - 10_000 },
    {
      ...{ offset: 2, partition: 4, round: 1, epoch: 1_700_000_000_123, attempt: 3, sentMs, latencyMs: 1234, batch: 'rb-1' },
      ...{ outcome: 'FAILED', reason: 'TIMEOUT', status: 0, key: 'k1', error: 'no answer', responseBody: 'so far' },
    },
  ])
  const { attempts, nextPageToken } = await list(subject)
  expect(nextPageToken).toBe('')
  expect(attempts.map((each) => each.offset)).toEqual([2n, 1n])
  expect(attempts[0]).toMatchObject({
    ...{ useCase: subject.name, uid: subject.uid, cluster: 'default', topic: subject.topic, partition: 4 },
    ...{ round: 1, epoch: 1_700_000_000_123n, attempt: 3, trigger: Trigger.RETRY_BATCH },
    ...{ retryBatch: `${subject.name}/retryBatches/rb-1`, outcome: Outcome.FAILED, reason: Reason.TIMEOUT, status: 0 },
    ...{ attemptTime: timestampFromMs(sentMs), latency: { seconds: 1n, nanos: 234_000_000 } },
    ...{ recordTime: timestampFromMs(sentMs - 1000), key: 'k1', method: 'POST', url: 'http://127.0.0.1/hook' },
    ...{ requestHeaders: { 'content-type': 'application/json' }, requestBody: '{}', responseHeaders: { server: 'test' } },
    ...{ responseBody: 'so far', error: 'no answer', worker: 'worker-1', revision: 3n },
  })
})

test('each filter selects what it says, and all of them together what they have in common', async () => {
  const subject = newSubject()
  const now = Date.now()
  await log.insertAttempts(subject, [
    { offset: 1, sentMs: now - 50 * minute, key: 'a' },
    { offset: 2, sentMs: now - 40 * minute, key: 'b', outcome: 'FAILED', status: 404, responseBody: 'no such order' },
    { offset: 3, sentMs: now - 30 * minute, key: 'a', outcome: 'RETRY', reason: 'TIMEOUT', status: 0, error: "can't wait: 50%" },
    { offset: 4, sentMs: now - 20 * minute, partition: 1, outcome: 'FAILED', reason: 'MAX_ELAPSED', status: 503 },
  ])
  const cases: [Filter, number[]][] = [
    [{}, [4, 3, 2, 1]],
    [{ outcomes: [Outcome.FAILED] }, [4, 2]],
    [{ outcomes: [Outcome.RETRY, Outcome.DELIVERED] }, [3, 1]],
    [{ statuses: [404, 503] }, [4, 2]],
    [{ statuses: [0] }, [3]],
    [{ reasons: [Reason.TIMEOUT, Reason.MAX_ELAPSED] }, [4, 3]],
    [{ key: 'a' }, [3, 1]],
    [{ partition: 0 }, [3, 2, 1]],
    [{ partition: 0, fromOffset: 2n }, [3, 2]],
    [{ partition: 0, fromOffset: 1n, toOffset: 3n }, [2, 1]],
    [{ fromTime: timestampFromMs(now - 40 * minute) }, [4, 3, 2]],
    [{ toTime: timestampFromMs(now - 40 * minute) }, [1]],
    [{ fromTime: timestampFromMs(now - 40 * minute + 1), toTime: timestampFromMs(now - 20 * minute) }, [3]],
    [{ text: 'such order' }, [2]],
    [{ text: "can't wait: 50%" }, [3]],
    [{ text: "' OR 1 = 1 --" }, []],
    [{ key: 'a', outcomes: [Outcome.RETRY], partition: 0, text: 'wait' }, [3]],
    [{ key: 'a', outcomes: [Outcome.FAILED] }, []],
  ]
  for (const [filter, expected] of cases) expect([filter, offsetsOf(await list(subject, filter))]).toEqual([filter, expected])
})

test('attempts are selected by what made them happen, what they were for, their batch, their worker and their cause', async () => {
  const subject = newSubject()
  const name = (id: string) => `${subject.name}/retryBatches/${id}`
  await log.insertAttempts(subject, [
    { offset: 1, worker: 'worker-2' },
    { offset: 2, attempt: 2, outcome: 'FAILED', status: 422, responseBody: 'no order 12' },
    { offset: 3, round: 1, batch: 'rb-1', outcome: 'FAILED', status: 422, responseBody: 'no order 99' },
    { offset: 4, outcome: 'FAILED', status: 422, responseBody: 'no customer 99' },
    { offset: 4, purpose: 'SHADOW', replay: 'rp-1' },
    { offset: 5, outcome: 'RETRY', status: 422, responseBody: 'no order 12' },
  ])
  const { failureGroups } = await listFailureGroups(log.reader, subject, undefined, 0)
  const group = failureGroups.find((each) => each.errorPattern === 'no order <number>')!
  const cases: [Filter, number[]][] = [
    [{}, [1, 2, 3, 4, 5]],
    [{ triggers: [Trigger.RETRY, Trigger.RETRY_BATCH] }, [2, 3]],
    [{ retryBatch: name('rb-1') }, [3]],
    [{ retryBatch: name('rb-2') }, []],
    [{ worker: 'worker-2' }, [1]],
    [{ purposes: [Purpose.SHADOW] }, [4]],
    [{ purposes: [Purpose.SHADOW, Purpose.DELIVER], partition: 0, fromOffset: 4n }, [4, 4, 5]],
    [{ failureGroup: group.id }, [2, 3]],
    [{ failureGroup: '422-NON_RETRYABLE_STATUS-0123456789abcdef' }, []],
  ]
  for (const [filter, expected] of cases)
    expect([filter, offsetsOf(await list(subject, filter)).sort()]).toEqual([filter, expected])
  const shadow = await list(subject, { purposes: [Purpose.SHADOW] })
  expect(shadow.attempts[0]!.purpose).toBe(Purpose.SHADOW)
})

test('texts of every kind are found as they are', async () => {
  const subject = newSubject()
  const texts = [
    'tab\tand\nnew line',
    'back\\slash \\n',
    `quotes ' " \``,
    '{curly: String}',
    'žluťoučký 馬 🚚',
    '%_*?',
    '\u0001\u007f',
  ]
  await log.insertAttempts(
    subject,
    texts.map((text, offset) => ({ offset, key: text, error: `<${text}>`, sentMs: Date.now() - 3 * minute })),
  )
  const fromTime = timestampFromMs(Date.now() - 10 * minute)
  for (const [offset, text] of texts.entries()) {
    expect([text, offsetsOf(await list(subject, { text, fromTime }))]).toEqual([text, [offset]])
    expect([text, offsetsOf(await list(subject, { key: text, fromTime }))]).toEqual([text, [offset]])
  }
})

test('pages of any size hold every attempt once, also those of one millisecond and those that were inserted twice', async () => {
  const subject = newSubject()
  const sentMs = Date.now() - 90 * minute
  const rows = Array.from({ length: 40 }, (_, index) => ({
    ...{
      partition: index % 3,
      offset: index % 5,
      attempt: 1 + Math.floor(index / 5),
      sentMs: sentMs + (index % 4) * 10 * minute,
    },
  }))
  await log.insertAttempts(subject, rows)
  await log.insertAttempts(subject, rows)
  const all = await listAll(subject, 1000)
  expect(new Set(all).size).toBe(40)
  for (const pageSize of [3, 39, 40]) expect(await listAll(subject, pageSize)).toEqual(all)
})

test('rows that arrive while a caller turns pages repeat and hide nothing', async () => {
  const subject = newSubject()
  const sentMs = Date.now() - 10 * minute
  const before = Array.from({ length: 30 }, (_, offset) => ({ offset, sentMs: sentMs - offset * 1000 }))
  await log.insertAttempts(subject, before)
  let arrived = 0
  const found = await listAll(subject, 4, () =>
    log.insertAttempts(subject, [{ partition: 1, offset: arrived++, sentMs: sentMs + 1000 }]),
  )
  expect(found).toEqual(before.map(({ offset }) => `0/${offset}/0/1`))
  expect(arrived).toBeGreaterThan(5)
})

test('rows that have expired are not listed', async () => {
  const subject = newSubject()
  const now = Date.now()
  await log.insertAttempts(subject, [
    { offset: 1, sentMs: now - 10 * minute, expireMs: now - 2000 },
    { offset: 2, sentMs: now - 10 * minute, expireMs: now + minute },
  ])
  expect(offsetsOf(await list(subject))).toEqual([2])
})

test('attempts of long ago, and of a worker whose clock is ahead, are found', async () => {
  const subject = newSubject()
  const now = Date.now()
  await log.insertAttempts(subject, [
    { offset: 1, sentMs: now - 300 * 86_400_000, expireMs: now + minute },
    { offset: 2, sentMs: now - 3 * 3_600_000 },
    { offset: 3, sentMs: now + 5 * minute },
  ])
  expect(offsetsOf(await list(subject))).toEqual([3, 2, 1])
})

test('a page ends before it is too large for a client, and the next one goes on', async () => {
  const subject = newSubject()
  const sentMs = Date.now() - 5 * minute
  const rows = Array.from({ length: 5 }, (_, offset) => ({ offset, sentMs: sentMs - offset, requestBody: 'x'.repeat(1 << 20) }))
  await log.insertAttempts(subject, rows)
  const first = await list(subject)
  expect(offsetsOf(first)).toEqual([0, 1])
  expect(first.nextPageToken).not.toBe('')
  expect(offsetsOf(await list(subject, {}, { pageToken: first.nextPageToken }))).toEqual([2, 3])
})

test('a page token of another filter or another use case is refused', async () => {
  const [subject, other] = [newSubject(), newSubject()]
  const rows = [{ offset: 1 }, { offset: 2 }]
  await Promise.all([log.insertAttempts(subject, rows), log.insertAttempts(other, rows)])
  const { nextPageToken } = await list(subject, {}, { pageSize: 1 })
  const refused = { code: 'INVALID_PAGE_TOKEN' }
  await expect(list(subject, { key: 'a' }, { pageToken: nextPageToken })).rejects.toMatchObject(refused)
  await expect(list(other, {}, { pageToken: nextPageToken })).rejects.toMatchObject(refused)
  await expect(list(subject, {}, { pageToken: 'made up' })).rejects.toMatchObject(refused)
})

test('every mistake in a filter is told at once', async () => {
  const error = await list(newSubject(), {
    ...{ fromTime: timestampFromMs(2000), toTime: timestampFromMs(1000), fromOffset: 9n, toOffset: 8n },
    retryBatch: 'namespaces/others/useCases/x/retryBatches/rb-1',
  }).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(QueryError)
  expect((error as QueryError).violations.map(({ field, reason }) => [field, reason])).toEqual([
    ['filter.to_time', 'TIME_ORDER'],
    ['filter.from_offset', 'PARTITION_MISSING'],
    ['filter.to_offset', 'PARTITION_MISSING'],
    ['filter.to_offset', 'OFFSET_ORDER'],
    ['filter.retry_batch', 'RETRY_BATCH_NAME'],
  ])
})

test('a question that is too large is refused, and told how to narrow it', async () => {
  const subject = newSubject()
  await log.clickhouse.command({
    query: `INSERT INTO attempt_inserts (uid, cluster, topic, offset, attempt, attempt_time, expire_time, outcome, purpose)
      SELECT {uid: String}, 'default', 't', number, 1, now() - 3600, now() + 3600, 'DELIVERED', 'DELIVER' FROM numbers(100000)`,
    query_params: { uid: subject.uid },
  })
  const tight = new LogReader(log.clickhouse, { executionTimeoutMs: 5000, rowsToReadMax: 20_000, groupBytesMax: 1 << 20 })
  const filter = create(AttemptFilterSchema, { text: 'nowhere' })
  const asked = listAttempts(tight, subject, { filter, pageSize: 0, pageToken: '' }, limits, Date.now())
  await expect(asked).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', message: expect.stringContaining('filter.from_time') })
})

test('a log that does not answer is said to be away', async () => {
  const { connectClickHouse } = await import('../../runtime/clickhouse.ts')
  const nobody = connectClickHouse('http://127.0.0.1:1', 'none', 1000)
  const away = new LogReader(nobody, { executionTimeoutMs: 1000, rowsToReadMax: 1, groupBytesMax: 1 })
  const asked = listAttempts(away, newSubject(), { filter: undefined, pageSize: 0, pageToken: '' }, limits, Date.now())
  await expect(asked).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' })
  await nobody.close()
})
