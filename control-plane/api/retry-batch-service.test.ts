import { Code, ConnectError, createClient, createRouterTransport } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RetryBatchState } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { RetryBatchService } from '../../proto/gen/ferry/v1/retry_batch_service_pb.ts'
import { BadRequestSchema, ErrorInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.ts'
import { openTestLog, type TestLog } from '../attempts/test-log.ts'
import { openTestBatches, type TestBatches } from '../retry-batches/test-batches.ts'
import { validateRequest } from '../serve/validate-request.ts'
import { retryBatchService, selfCheckingRetryBatchMethods } from './retry-batch-service.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

function connect({ api }: TestBatches) {
  const interceptors = [validateRequest(selfCheckingRetryBatchMethods)]
  const routes = createRouterTransport((router) => router.service(RetryBatchService, retryBatchService(api)), {
    router: { interceptors },
  })
  return createClient(RetryBatchService, routes)
}

async function failure(call: Promise<unknown>) {
  const error = await call.then(
    () => expect.fail('the call was answered'),
    (reason: unknown) => ConnectError.from(reason),
  )
  const fields = error.findDetails(BadRequestSchema)[0]?.fieldViolations.map((each) => each.field)
  return [Code[error.code], error.findDetails(ErrorInfoSchema)[0]?.reason, ...(fields ? [fields] : [])]
}

test('a batch lives through the whole service', async () => {
  const batches = await openTestBatches(log)
  const client = connect(batches)
  const sentMs = batches.nowMs - 60_000
  await batches.fail([1, 2, 3], { sentMs, latencyMs: 0 })
  const retryBatch = { useCase: batches.subject.name, reason: 'fixed', filter: { statuses: [400] } }
  const plan = await client.planRetryBatch({ retryBatch })
  expect(plan).toMatchObject({ selected: 3n, bytesInKafka: 3n, bytesInPayloads: 0n, payloadExpired: 0n })
  expect(Number(plan.oldestTime!.seconds)).toBe(Math.floor(sentMs / 1000))
  const headers = { headers: { 'ferry-actor': 'ada' } }
  const { retryBatch: made } = await client.createRetryBatch({ retryBatch, requestId: 'r1' }, headers)
  expect(made).toMatchObject({ state: RetryBatchState.ENQUEUING, creator: 'ada', selected: 3n })
  expect((await client.createRetryBatch({ retryBatch, requestId: 'r1' })).retryBatch).toEqual(made)
  expect((await client.getRetryBatch({ name: made!.name })).retryBatch).toEqual(made)
  expect((await client.listRetryBatches({ useCase: batches.subject.name })).retryBatches).toEqual([made])
  const { retryBatch: cancelled } = await client.cancelRetryBatch({ name: made!.name })
  expect(cancelled).toMatchObject({ state: RetryBatchState.CANCELLED })
})

test('what breaks the contract and what it cannot say is told together', async () => {
  const batches = await openTestBatches(log)
  const client = connect(batches)
  const retryBatch = { reason: '', maxItems: 0n, filter: { statuses: [1000], fromOffset: 5n } }
  const expected = [
    'InvalidArgument',
    'INVALID_REQUEST',
    [
      'retry_batch.use_case',
      'retry_batch.filter.statuses[0]',
      'retry_batch.reason',
      'retry_batch.max_items',
      'retry_batch.filter.from_offset',
    ],
  ]
  expect(await failure(client.createRetryBatch({ retryBatch }))).toEqual(expected)
  expect(await failure(client.planRetryBatch({ retryBatch }))).toEqual(expected)
  expect(await failure(client.planRetryBatch({}))).toEqual(['InvalidArgument', 'INVALID_REQUEST', ['retry_batch']])
})

test('a batch that is not there, or not to be cancelled any more, is refused with a reason', async () => {
  const batches = await openTestBatches(log)
  const client = connect(batches)
  expect(await failure(client.getRetryBatch({ name: 'x' }))).toEqual(['NotFound', 'RETRY_BATCH_NOT_FOUND'])
  const { retryBatch } = await client.createRetryBatch({ retryBatch: { useCase: batches.subject.name, reason: 'r' } })
  await batches.runner().step()
  expect(await failure(client.cancelRetryBatch({ name: retryBatch!.name }))).toEqual(['FailedPrecondition', 'RETRY_BATCH_ENDED'])
})
