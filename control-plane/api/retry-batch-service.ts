import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { ServiceImpl } from '@connectrpc/connect'
import { type RetryBatch, RetryBatchSchema, RetryItemState } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import {
  CreateRetryBatchRequestSchema,
  PlanRetryBatchRequestSchema,
  RetryBatchService,
} from '../../proto/gen/ferry/v1/retry_batch_service_pb.ts'
import { checkBatch } from '../retry-batches/check-batch.ts'
import { itemOf } from '../retry-batches/item.ts'
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
        refuseInvalid(PlanRetryBatchRequestSchema, request, checkBatch(retryBatch, Date.now()))
        const { selected, missing, notSelected, samples, ...found } = await batches.plan(retryBatch)
        const { oldestMs, inKafka, inPayloads, expired, asOfMs } = found
        return {
          ...{ selected: BigInt(selected), bytesInKafka: BigInt(inKafka), bytesInPayloads: BigInt(inPayloads) },
          ...{ payloadExpired: BigInt(expired), missing: BigInt(missing), notSelected: BigInt(notSelected) },
          ...{ samples: samples.map((row) => itemOf(row, RetryItemState.WAITING)), asOfTime: timestampFromMs(asOfMs) },
          ...(oldestMs === undefined ? {} : { oldestTime: timestampFromMs(oldestMs) }),
        }
      }),
    createRetryBatch: (request, context) =>
      answer(async () => {
        const retryBatch = given(request.retryBatch)
        refuseInvalid(CreateRetryBatchRequestSchema, request, checkBatch(retryBatch, Date.now()))
        return { retryBatch: await batches.create(retryBatch, request.requestId, callerOf(context).actor) }
      }),
    getRetryBatch: ({ name }) => answer(async () => ({ retryBatch: await batches.get(name) })),
    listRetryBatches: ({ useCase, pageSize, pageToken }, context) =>
      answer(async () => {
        const page = await batches.list(useCase, pageSize, pageToken, seenBy(context))
        return { retryBatches: [...page.batches], nextPageToken: page.nextPageToken }
      }),
    pauseRetryBatch: ({ name, reason }, context) =>
      answer(async () => ({ retryBatch: await batches.pause(name, { ...callerOf(context), reason }) })),
    resumeRetryBatch: ({ name, reason }, context) =>
      answer(async () => ({ retryBatch: await batches.resume(name, { ...callerOf(context), reason }) })),
    cancelRetryBatch: ({ name, reason }, context) =>
      answer(async () => ({ retryBatch: await batches.cancel(name, { ...callerOf(context), reason }) })),
    listRetryBatchItems: ({ name, states, pageSize, pageToken }) =>
      answer(async () => {
        const page = await batches.listItems(name, states, pageSize, pageToken)
        return { items: [...page.items], nextPageToken: page.nextPageToken }
      }),
  }
}

/** A request without one is told that it is missing. */
const given = (retryBatch: RetryBatch | undefined): RetryBatch => retryBatch ?? create(RetryBatchSchema)
