import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'

const heldBack: ReadonlySet<number> = new Set([
  Reason.ABORTED,
  Reason.ENDPOINT_BLOCKED,
  Reason.TOKEN_REFUSED,
  Reason.STATUS_PAUSED,
  Reason.BATCH_REFUSED,
  Reason.BEHIND_FAILED_ITEM,
])

/** Whether an attempt that ended so was held back by Ferry itself, or by its use case, or says nothing of its record: it costs no retry, and no time of the policy. */
export const costsNoRetry = (reason: number): boolean => heldBack.has(reason)
