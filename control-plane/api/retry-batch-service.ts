import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { ServiceImpl } from '@connectrpc/connect'
import { type RetryBatch, RetryBatchSchema } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import {
  CreateRetryBatchRequestSchema,
  PlanRetryBatchRequestSchema,
  RetryBatchService,
} from '../../proto/gen/ferry/v1/retry_batch_service_pb.ts'
import { checkOffsetFilter } from '../attempts/offset-filter.ts'
import type { RetryBatches } from '../retry-batches/retry-batches.ts'
import { answer, callerOf, refuseInvalid, seenBy } from './answer.ts'

/** These tell what is wrong by the contract together with what it cannot say. */
export const selfCheckingRetryBatchMethods = [
  RetryBatchService.method.planRetryBatch,
  RetryBatchService.method.createRetryBatch,
] as const

/** The contract's RetryBatchService on the domain. */
export function retryBatchService(batches: RetryBatches): ServiceImpl<typeof RetryBatchService> {
  return {
    planRetryBatch: (request) =>
      answer(async () => {
        const retryBatch = given(request.retryBatch)
        refuseInvalid(PlanRetryBatchRequestSchema, request, filterViolations(retryBatch))
        const { selected, oldestMs, inKafka, inPayloads, expired } = await batches.plan(retryBatch)
        return {
          ...{ selected: BigInt(selected), bytesInKafka: BigInt(inKafka), bytesInPayloads: BigInt(inPayloads) },
          ...{ payloadExpired: BigInt(expired) },
          ...(oldestMs === undefined ? {} : { oldestTime: timestampFromMs(oldestMs) }),
        }
      }),
    createRetryBatch: (request, context) =>
      answer(async () => {
        const retryBatch = given(request.retryBatch)
        refuseInvalid(CreateRetryBatchRequestSchema, request, filterViolations(retryBatch))
        return { retryBatch: await batches.create(retryBatch, request.requestId, callerOf(context).actor) }
      }),
    getRetryBatch: ({ name }) => answer(async () => ({ retryBatch: await batches.get(name) })),
    listRetryBatches: ({ useCase, pageSize, pageToken }, context) =>
      answer(async () => {
        const page = await batches.list(useCase, pageSize, pageToken, seenBy(context))
        return { retryBatches: [...page.batches], nextPageToken: page.nextPageToken }
      }),
    cancelRetryBatch: ({ name }, context) =>
      answer(async () => ({ retryBatch: await batches.cancel(name, callerOf(context).actor) })),
  }
}

const filterViolations = ({ filter }: RetryBatch) => (filter ? checkOffsetFilter(filter, 'retry_batch.filter') : [])

/** A request without one is told that it is missing. */
const given = (retryBatch: RetryBatch | undefined): RetryBatch => retryBatch ?? create(RetryBatchSchema)
