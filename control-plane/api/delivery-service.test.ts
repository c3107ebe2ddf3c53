import { create } from '@bufbuild/protobuf'
import { timestampNow } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, createClient, createRouterTransport } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DeliveryState, Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { DeliveryService } from '../../proto/gen/ferry/v1/delivery_service_pb.ts'
import { UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { BadRequestSchema, ErrorInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.ts'
import { laneKeys, readOrder, writeParked } from '../../runtime/lane-keys.ts'
import { laneOf, type Subject } from '../attempts/subject.ts'
import { newSubject, openTestLog, type TestLog } from '../attempts/test-log.ts'
import type { Order } from '../audit/operator-log.ts'
import { LeaderClient } from '../fleet/leader-client.ts'
import { validateRequest } from '../serve/validate-request.ts'
import { UseCaseError } from '../use-cases/use-case-error.ts'
import { deliveryService } from './delivery-service.ts'
import { selfCheckingDeliveryMethods } from './query-methods.ts'

let log: TestLog
const marked: number[] = []
/** What the audit has. */
const audited: Order[] = []
const leader = new LeaderClient({ leaderAddress: () => undefined, timeoutMs: 1000, whoCalls: async () => ({}) })
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

function connect({ name, uid, cluster, topic }: Subject, end: () => number) {
  const offsets = {
    endOffsets: async () => new Map([[0, end()]]),
    ...{ startOffsets: async () => new Map([[0, 0]]), topicId: async () => 'id', offsetsAt: async () => new Map() },
  }
  const service = deliveryService({
    ...{ log: log.reader, redis: log.redis, offsets, samplesPrefix: `ferry:{test}:lag:`, nowMs: Date.now },
    spool: { waiting: async () => 0 },
    useCase: async (asked) => {
      if (asked !== name) throw new UseCaseError('USE_CASE_NOT_FOUND', `there is no use case ${asked}`)
      return create(UseCaseSchema, { name, uid, createTime: timestampNow(), spec: { source: { cluster, topic } } })
    },
    pageLimits: { pageBytesMax: 3 << 20 },
    tailLimits: { pollMs: 50, settleMs: 200, durationMsMax: 20_000, messageBytesMax: 3 << 20, outageMsMax: 1000 },
    tailsMax: 2,
    operatorLog: { write: async (order) => void audited.push(order) },
    ...{ fleet: { lead: () => ({ term: 1 }), markInbox: (lane) => marked.push(lane.partition) }, leader, inboxMax: 2 },
    verifyLimits: {
      executionTimeoutMs: 20_000,
      rowsToReadMax: 1e9,
      groupBytesMax: 1 << 28,
      sliceOffsetsMax: 1e6,
      offsetsMax: 1e6,
    },
  })
  const interceptors = [validateRequest(selfCheckingDeliveryMethods)]
  const transport = createRouterTransport((router) => router.service(DeliveryService, service), { router: { interceptors } })
  return createClient(DeliveryService, transport)
}

async function failure(call: Promise<unknown>) {
  const error = await call.then(
    () => expect.fail('the call was answered'),
    (reason: unknown) => ConnectError.from(reason),
  )
  const fields = error.findDetails(BadRequestSchema)[0]?.fieldViolations.map((each) => each.field)
  return [Code[error.code], error.findDetails(ErrorInfoSchema)[0]?.reason, ...(fields ? [fields] : [])]
}

test('one record is seen in its attempts, its delivery, the certificate and the lag', async () => {
  const subject = newSubject()
  const useCase = subject.name
  const client = connect(subject, () => 12)
  await log.redis.hset(laneKeys(laneOf(subject, 0)).lane, { cursor: 10 })
  await log.insertAttempts(subject, [{ offset: 8 }, { offset: 9 }])
  await log.insertRange(subject, 0, 'BEFORE_START', [[0, 7]])
  const { attempts, nextPageToken } = await client.listAttempts({ useCase, pageSize: 1 })
  expect([attempts.length, nextPageToken.length > 0]).toEqual([1, true])
  expect((await client.getDelivery({ useCase, partition: 0, offset: 9n })).delivery).toMatchObject({
    ...{ useCase, offset: 9n, state: DeliveryState.ENDED, outcome: Outcome.DELIVERED, attemptCount: 1 },
  })
  const { deliveries } = await client.listDeliveries({ useCase })
  expect(deliveries.map(({ offset, state }) => [Number(offset), state])).toEqual([
    ...[11, 10].map((offset) => [offset, DeliveryState.WAITING]),
    ...[9, 8].map((offset) => [offset, DeliveryState.ENDED]),
  ])
  expect(await client.listFailureGroups({ useCase })).toMatchObject({ failureGroups: [], deliveryCount: 0n })
  expect((await client.summarize({ useCase })).total).toMatchObject({ attempts: 2n, delivered: 2n })
  const { total, partitions, complete, verifyTime } = await client.verifyRange({ useCase })
  expect(total).toMatchObject({ offsets: 4n, published: 4n, delivered: 2n, onTheWay: 2n, missing: 0n, attempts: 2n })
  expect(partitions).toMatchObject([{ partition: 0, fromOffset: 8n, toOffset: 12n, counts: { delivered: 2n }, missing: [] }])
  expect(complete).toBe(false)
  expect(Math.abs(Number(verifyTime!.seconds) - Date.now() / 1000)).toBeLessThan(10)
  const part = await client.verifyRange({ useCase, ranges: [{ partition: 0, toOffset: 10n }] })
  expect([part.complete, part.total!.delivered]).toEqual([true, 2n])
  const lag = await client.getLag({ useCase })
  expect(lag).toMatchObject({ records: 2n, parked: 0n, partitions: [{ partition: 0, cursor: 10n, floor: 10n, endOffset: 12n }] })
  expect(lag.eta).toBeUndefined()
})

test('what is missing is told as runs', async () => {
  const subject = newSubject()
  const client = connect(subject, () => 10)
  await log.redis.hset(laneKeys(laneOf(subject, 0)).lane, { cursor: 10 })
  await log.insertAttempts(subject, [{ offset: 0 }, { offset: 5 }])
  const { partitions } = await client.verifyRange({ useCase: subject.name })
  expect(partitions[0]!.missing).toMatchObject([
    { firstOffset: 1n, lastOffset: 4n },
    { firstOffset: 6n, lastOffset: 9n },
  ])
})

test('what breaks the contract and what it cannot say is told together', async () => {
  const subject = newSubject()
  const client = connect(subject, () => 10)
  const filter = { statuses: [-1], fromOffset: 3n, toOffset: 2n }
  expect(await failure(client.listAttempts({ useCase: subject.name, pageSize: 2000, filter }))).toEqual([
    'InvalidArgument',
    'INVALID_REQUEST',
    ['filter.statuses[0]', 'page_size', 'filter.from_offset', 'filter.to_offset', 'filter.to_offset'],
  ])
})

test('what is wrong with lists and sums is told together', async () => {
  const subject = newSubject()
  const client = connect(subject, () => 10)
  const useCase = subject.name
  const filter = { statuses: [-1], fromOffset: 3n }
  const refused = (...fields: string[]) => ['InvalidArgument', 'INVALID_REQUEST', fields]
  const list = client.listDeliveries({ useCase, pageSize: -1, filter: { ...filter, retryBatch: 'x', failureGroup: 'y' } })
  expect(await failure(list)).toEqual(
    refused('filter.statuses[0]', 'filter.failure_group', 'page_size', 'filter.from_offset', 'filter.retry_batch'),
  )
  expect(await failure(client.listFailureGroups({ useCase, filter }))).toEqual(
    refused('filter.statuses[0]', 'filter.from_offset'),
  )
  expect(await failure(client.summarize({ useCase, interval: { seconds: 61n } }))).toEqual(refused('interval'))
  expect(await failure(client.summarize({ useCase, interval: { seconds: 1n } }))).toEqual(refused('interval', 'interval'))
})

test('what is not there is refused with a reason', async () => {
  const subject = newSubject()
  const client = connect(subject, () => 10)
  expect(await failure(client.getLag({ useCase: 'nobody' }))).toEqual(['NotFound', 'USE_CASE_NOT_FOUND'])
  const delivery = client.getDelivery({ useCase: subject.name, partition: 0, offset: 10n })
  expect(await failure(delivery)).toEqual(['NotFound', 'DELIVERY_NOT_FOUND'])
  const token = client.listAttempts({ useCase: subject.name, pageToken: 'x' })
  expect(await failure(token)).toEqual(['InvalidArgument', 'INVALID_PAGE_TOKEN'])
  const away = connect(subject, () => {
    throw new Error('no broker')
  })
  expect(await failure(away.getLag({ useCase: subject.name }))).toEqual(['Unavailable', 'SOURCE_UNAVAILABLE'])
})

test('an order for deliveries that wait goes into the inbox of their lane; for what does not wait it is refused', async () => {
  const subject = newSubject()
  const useCase = subject.name
  const client = connect(subject, () => 12)
  const keys = laneKeys(laneOf(subject, 0))
  const skip = (fromOffset: bigint, toOffset?: bigint) =>
    client.skipDeliveries({
      ...{ useCase, reason: 'it has no\ncustomer' },
      deliveries: { partition: 0, fromOffset, ...(toOffset !== undefined && { toOffset }) },
    })
  expect(await failure(skip(3n))).toEqual(['FailedPrecondition', 'DELIVERY_NOT_WAITING'])
  const entry = (state: 'P' | 'B'): string =>
    writeParked({
      ...{ state, keyHash: 7, attempts: 1, unpaid: 0, firstMs: 1, lastMs: 1, dueMs: 9, round: 0, bytes: 0, where: 'K' },
      ...{ batch: undefined, stale: false, newKey: false },
    })
  await log.redis.hset(keys.lane, { cursor: 10 })
  await log.redis.hset(keys.parked, { 3: entry('P'), 4: entry('B') })
  expect(await failure(skip(2n))).toEqual(['FailedPrecondition', 'DELIVERY_NOT_WAITING'])
  expect(await failure(skip(4n))).toEqual(['FailedPrecondition', 'DELIVERY_BEHIND'])
  expect(await failure(skip(4n, 4n))).toEqual(['InvalidArgument', 'INVALID_REQUEST', ['deliveries.to_offset']])
  await skip(3n)
  await client.retryDeliveries({ useCase, deliveries: { partition: 0, fromOffset: 0n, toOffset: 9n } })
  expect(await failure(skip(3n))).toEqual(['ResourceExhausted', 'LIMIT_EXCEEDED'])
  expect(marked).toEqual([0, 0])
  const orders = (await log.redis.hvals(keys.inbox)).map(readOrder).sort((a, b) => (a!.kind < b!.kind ? -1 : 1))
  expect(orders).toEqual([
    { kind: 'RETRY', first: 0, last: 8, reason: '' },
    { kind: 'SKIP', first: 3, last: 3, reason: 'skipped by anonymous: it has no\ncustomer' },
  ])
  // Also orders that were refused then, because nothing waits.
  expect(audited.map(({ action }) => action)).toEqual([
    ...['SKIP_DELIVERIES', 'SKIP_DELIVERIES', 'SKIP_DELIVERIES', 'SKIP_DELIVERIES', 'RETRY_DELIVERIES', 'SKIP_DELIVERIES'],
  ])
  expect(audited[3]).toEqual({
    ...{ action: 'SKIP_DELIVERIES', actor: 'anonymous', reason: 'it has no\ncustomer', useCase, uid: subject.uid },
    asked: { partition: 0, fromOffset: '3' },
  })
})
