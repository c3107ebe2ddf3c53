import { FilterError } from '../../convert/filter/compile-filter.ts'
import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'

/** Why a record for which no body could be made has FAILED. */
export const failureReason = (error: unknown): Reason =>
  error instanceof FilterError ? Reason.FILTER_FAILED : Reason.DECODE_FAILED
