import type { MessageInitShape } from '@bufbuild/protobuf'
import { type RetryBatch, type RetryBatchSchema, RetryBatchState } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Fleet } from './fleet.ts'
import { waitUntil } from './wait-until.ts'

export async function createBatch(
  fleet: Fleet,
  useCase: UseCase,
  more: MessageInitShape<typeof RetryBatchSchema> = {},
): Promise<RetryBatch> {
  const { retryBatch } = await fleet.client.retryBatches.createRetryBatch({
    retryBatch: { useCase: useCase.name, reason: 'the endpoint is fixed', ...more },
  })
  return retryBatch!
}

export const getBatch = async (fleet: Fleet, name: string): Promise<RetryBatch> =>
  (await fleet.client.retryBatches.getRetryBatch({ name })).retryBatch!

/** Until every delivery of it has ended. */
export async function waitForBatch(fleet: Fleet, name: string, timeoutMs: number): Promise<RetryBatch> {
  let last: RetryBatch | undefined
  return waitUntil(
    `${name} is done`,
    timeoutMs,
    async () => {
      last = await getBatch(fleet, name)
      return last.state === RetryBatchState.DONE && last
    },
    () => last,
  )
}
