import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { ServiceImpl } from '@connectrpc/connect'
import { type RetryBatch, RetryBatchSchema } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import type { RetryBatchService } from '../../proto/gen/ferry/v1/retry_batch_service_pb.ts'
import type { RetryBatches } from '../retry-batches/retry-batches.ts'
import { answer, callerOf } from './answer.ts'

/** The contract's RetryBatchService on the domain. */
export function retryBatchService(batches: RetryBatches): ServiceImpl<typeof RetryBatchService> {
  return {
    planRetryBatch: ({ retryBatch }) =>
      answer(async () => {
        const { selected, oldestMs, inKafka, inPayloads, expired } = await batches.plan(given(retryBatch))
        return {
          ...{ selected: BigInt(selected), bytesInKafka: BigInt(inKafka), bytesInPayloads: BigInt(inPayloads) },
          ...{ payloadExpired: BigInt(expired) },
          ...(oldestMs === undefined ? {} : { oldestTime: timestampFromMs(oldestMs) }),
        }
      }),
    createRetryBatch: ({ retryBatch, requestId }, context) =>
      answer(async () => ({ retryBatch: await batches.create(given(retryBatch), requestId, callerOf(context).actor) })),
    getRetryBatch: ({ name }) => answer(async () => ({ retryBatch: await batches.get(name) })),
    listRetryBatches: ({ useCase, pageSize, pageToken }) =>
      answer(async () => {
        const page = await batches.list(useCase, pageSize, pageToken)
        return { retryBatches: [...page.batches], nextPageToken: page.nextPageToken }
      }),
    cancelRetryBatch: ({ name }, context) =>
      answer(async () => ({ retryBatch: await batches.cancel(name, callerOf(context).actor) })),
  }
}

/** A request without one is refused before it comes here. */
const given = (retryBatch: RetryBatch | undefined): RetryBatch => retryBatch ?? create(RetryBatchSchema)
