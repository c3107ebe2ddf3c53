import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'

const heldBack: ReadonlySet<number> = new Set([
  Reason.ABORTED,
  Reason.ENDPOINT_BLOCKED,
  Reason.TOKEN_REFUSED,
  Reason.STATUS_PAUSED,
])

/** Whether an attempt that ended so was held back by Ferry itself, or by its use case: it costs no retry, and no time of the policy. */
export const costsNoRetry = (reason: number): boolean => heldBack.has(reason)
