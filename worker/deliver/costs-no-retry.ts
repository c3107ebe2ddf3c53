import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'

/** Whether an attempt that ended so was held back by Ferry itself: it costs no retry, and no time of the policy. */
export const costsNoRetry = (reason: number): boolean =>
  reason === Reason.ABORTED || reason === Reason.ENDPOINT_BLOCKED || reason === Reason.TOKEN_REFUSED
