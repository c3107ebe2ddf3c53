import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import {
  type RetryBatchSchema,
  RetryBatchState,
  RetryFilterSchema,
  RetryBatchSchema as schema,
} from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { QueryError } from '../attempts/query-error.ts'
import { openTestLog, type TestLog } from '../attempts/test-log.ts'
import type { Plan } from './plan.ts'
import { openTestBatches, type TestBatches } from './test-batches.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

const plan = (
  of: TestBatches,
  filter: MessageInitShape<typeof RetryFilterSchema> = {},
  more: MessageInitShape<typeof RetryBatchSchema> = {},
): Promise<Plan> =>
  of.api.plan(create(schema, { useCase: of.subject.name, reason: 'why', filter: create(RetryFilterSchema, filter), ...more }))
const selected = async (of: TestBatches, filter: MessageInitShape<typeof RetryFilterSchema> = {}) =>
  (await plan(of, filter)).selected

test('a plan selects what is FAILED by the outcome rule, by the row of the highest round, epoch and attempt', async () => {
  const batches = await openTestBatches(log)
  const row = (offset: number, outcome: 'DELIVERED' | 'FAILED' | 'SKIPPED', round: number, epoch = 100) => ({
    offset,
    outcome,
    round,
    epoch,
  })
  await log.insertAttempts(batches.subject, [
    row(1, 'FAILED', 0),
    row(2, 'DELIVERED', 0),
    { offset: 3, outcome: 'RETRY' },
    // Failed, then delivered; delivered, then failed: both are delivered.
    row(4, 'FAILED', 0),
    row(4, 'DELIVERED', 1),
    row(5, 'DELIVERED', 0),
    row(5, 'FAILED', 1),
    // Failed twice; failed, then skipped; a late row of an older epoch does not matter.
    row(6, 'FAILED', 0),
    row(6, 'FAILED', 1),
    row(7, 'FAILED', 0),
    row(7, 'SKIPPED', 1),
    row(8, 'FAILED', 0, 200),
    row(8, 'SKIPPED', 0, 100),
  ]) // prettier-ignore
  expect(await selected(batches)).toBe(3)
  expect(await selected(batches, { partition: 0, fromOffset: 6n })).toBe(2)
  expect(await selected(batches, { partition: 0, fromOffset: 6n, toOffset: 8n })).toBe(1)
  expect(await selected(batches, { partition: 1 })).toBe(0)
})

test('a filter looks at the row that made the delivery FAILED, not at those before it', async () => {
  const batches = await openTestBatches(log)
  const minute = 60_000
  const ago = (minutes: number): number => batches.nowMs - minutes * minute
  await log.insertAttempts(batches.subject, [
    { offset: 1, outcome: 'FAILED', status: 503, reason: 'MAX_ELAPSED', sentMs: ago(30), latencyMs: 0, responseBody: 'busy' },
    { offset: 1, round: 1, outcome: 'FAILED', status: 422, sentMs: ago(10), latencyMs: 0, responseBody: "it's wrong" },
    { offset: 2, outcome: 'FAILED', status: 0, reason: 'TIMEOUT', sentMs: ago(20), latencyMs: 0, error: 'no answer' },
  ])
  const cases: [MessageInitShape<typeof RetryFilterSchema>, number][] = [
    [{ statuses: [503] }, 0],
    [{ statuses: [422, 503] }, 1],
    [{ statuses: [0] }, 1],
    [{ reasons: [Reason.MAX_ELAPSED] }, 0],
    [{ reasons: [Reason.TIMEOUT, Reason.NON_RETRYABLE_STATUS] }, 2],
    [{ text: 'busy' }, 0],
    [{ text: "it's wrong" }, 1],
    [{ text: 'no answer' }, 1],
    [{ fromTime: timestampFromMs(ago(20)) }, 2],
    [{ fromTime: timestampFromMs(ago(20) + 1) }, 1],
    [{ toTime: timestampFromMs(ago(20)) }, 0],
    [{ toTime: timestampFromMs(ago(10)), statuses: [0] }, 1],
    [{ statuses: [422], text: 'no answer' }, 0],
  ]
  for (const [filter, expected] of cases) expect([filter, await selected(batches, filter)]).toEqual([filter, expected])
})

test('a plan says how old the oldest failure is, and where the bytes are', async () => {
  const batches = await openTestBatches(log, [0, 1])
  const sentMs = batches.nowMs - 7_200_000
  batches.starts.set(0, 3)
  batches.starts.set(1, 100)
  await batches.fail([1, 2, 3, 4], { packed: 'bytes' })
  await batches.fail([5])
  await batches.fail([0], { sentMs, latencyMs: 5 })
  await batches.fail([7], { partition: 1, packed: 'bytes', expireMs: batches.nowMs - 10_000 })
  await batches.fail([8], { partition: 1, packed: 'bytes' })
  expect(await plan(batches)).toMatchObject({
    selected: 8,
    missing: 0,
    notSelected: 0,
    oldestMs: sentMs + 5,
    inKafka: 3,
    inPayloads: 3,
    expired: 2,
  })
  expect(await plan(batches, { partition: 1 })).toMatchObject({ selected: 2, inKafka: 0, inPayloads: 1, expired: 1 })
  expect(await plan(batches, {}, { maxItems: 3n })).toMatchObject({ selected: 3, inKafka: 0, inPayloads: 1, expired: 2 })
  expect(await plan(batches, { text: 'nothing like it' })).toEqual({
    ...{ selected: 0, missing: 0, notSelected: 0, inKafka: 0, inPayloads: 0, expired: 0, samples: [] },
    ...{ asOfMs: batches.nowMs, oldestMs: undefined },
  })
})

test('a batch is made as asked, is listed, and is in the audit', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1, 2])
  const batch = await batches.create({
    filter: { statuses: [400] },
    reason: 'the endpoint is fixed',
    state: RetryBatchState.DONE,
    selected: 99n,
  })
  expect(batch).toMatchObject({
    ...{
      useCase: batches.subject.name,
      reason: 'the endpoint is fixed',
      state: RetryBatchState.ENQUEUING,
      selected: 2n,
      enqueued: 0n,
    },
    ...{ creator: 'somebody', createTime: timestampFromMs(batches.nowMs) },
  })
  expect(batch.name).toMatch(new RegExp(`^${batches.subject.name}/retryBatches/[a-z0-9-]+$`))
  expect(await batches.api.get(batch.name)).toMatchObject({ name: batch.name, selected: 2n, enqueued: 0n })
  expect((await batches.api.list(batches.subject.name, 0, '')).batches.map(({ name }) => name)).toEqual([batch.name])
  const [[, [, row]]] = (await log.redis.xrange(batches.control.outbox, '-', '+')) as [[string, [string, string]]]
  expect(JSON.parse(row)).toMatchObject({
    action: 'RETRY_BATCH',
    actor: 'somebody',
    reason: 'the endpoint is fixed',
    uid: batches.subject.uid,
  })
  expect(JSON.parse(JSON.parse(row).after)).toMatchObject({ name: batch.name, filter: { statuses: [400] } })
})

test('the same request id answers the first batch, and another batch under it is refused', async () => {
  const batches = await openTestBatches(log)
  const asked = { filter: { statuses: [400] }, maxItems: 5n }
  const first = await batches.create(asked, 'r1')
  batches.nowMs += 60_000
  expect(await batches.create(asked, 'r1')).toEqual(first)
  expect((await batches.create(asked, 'r2')).name).not.toBe(first.name)
  expect((await batches.create(asked)).name).not.toBe((await batches.create(asked)).name)
  await expect(batches.create({ ...asked, maxItems: 6n }, 'r1')).rejects.toMatchObject({
    ...{ code: 'INVALID_REQUEST', violations: [{ field: 'request_id', reason: 'REQUEST_ID_REUSED' }] },
  })
})

test('of two calls at once with one request id one makes the batch, and both answer it', async () => {
  const batches = await openTestBatches(log)
  const made = await Promise.all(Array.from({ length: 8 }, () => batches.create({}, 'r1')))
  expect(new Set(made.map(({ name }) => name)).size).toBe(1)
  expect((await batches.api.list('', 1000, '')).batches.length).toBe(1)
})

test('pages of batches are newest first and hold each once, while others are made', async () => {
  const batches = await openTestBatches(log)
  const names: string[] = []
  for (let count = 0; count < 7; count++) {
    names.unshift((await batches.create()).name)
    batches.nowMs += 1000
  }
  const found: string[] = []
  let token = ''
  do {
    const page = await batches.api.list(batches.subject.name, 3, token)
    found.push(...page.batches.map(({ name }) => name))
    token = page.nextPageToken
    await batches.create()
    batches.nowMs += 1000
  } while (token !== '')
  expect(found).toEqual(names)
  await expect(batches.api.list('', 3, 'made up')).rejects.toMatchObject({ code: 'INVALID_PAGE_TOKEN' })
})

test('of all batches a caller sees those that it may, however many others lie between them', async () => {
  const batches = await openTestBatches(log)
  const names: string[] = []
  for (let count = 0; count < 30; count++) {
    names.unshift((await batches.create()).name)
    batches.nowMs += 1000
  }
  const own = [names[1]!, names[2]!, names[29]!]
  const pages: (readonly string[])[] = []
  let token = ''
  do {
    const page = await batches.api.list('', 1, token, (name) => own.includes(name))
    pages.push(page.batches.map(({ name }) => name))
    token = page.nextPageToken
  } while (token !== '')
  expect(pages.flat()).toEqual(own)
  // A page may be empty and not the last: so many batches are looked at for it and no more.
  expect(pages.length).toBeLessThan(8)
})

test('every mistake in a batch is told at once', async () => {
  const batches = await openTestBatches(log)
  const filter = { fromTime: timestampFromMs(2000), toTime: timestampFromMs(1000), fromOffset: 9n, toOffset: 8n }
  const error = await batches.create({ filter }).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(QueryError)
  expect((error as QueryError).violations.map(({ field }) => field)).toEqual([
    'retry_batch.filter.to_time',
    'retry_batch.filter.from_offset',
    'retry_batch.filter.to_offset',
    'retry_batch.filter.to_offset',
  ])
  await expect(plan(batches, filter)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
})

test('there is a limit to how many batches are active', async () => {
  const batches = await openTestBatches(log)
  await Promise.all(Array.from({ length: 50 }, () => batches.create()))
  await expect(batches.create()).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
})

test('a batch that nobody made is not found, nor one under another use case', async () => {
  const [batches, other] = [await openTestBatches(log), await openTestBatches(log)]
  const { name } = await batches.create()
  const notFound = { code: 'RETRY_BATCH_NOT_FOUND' }
  await expect(batches.api.get(`${batches.subject.name}/retryBatches/none`)).rejects.toMatchObject(notFound)
  await expect(batches.api.get(name.replace(batches.subject.name, other.subject.name))).rejects.toMatchObject(notFound)
  await expect(batches.api.cancel('nonsense', { actor: 'somebody', reason: '' })).rejects.toMatchObject(notFound)
})

test('nothing is made while nobody has compared an empty Redis with the audit', async () => {
  const batches = await openTestBatches(log)
  await log.redis.del(batches.control.changes)
  await expect(batches.create()).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
})
