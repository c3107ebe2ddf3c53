import { DecodeError } from '../../convert/decode/decode-error.ts'
import { FilterError } from '../../convert/filter/compile-filter.ts'
import { TransformError } from '../../convert/transform/transform-error.ts'
import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'

/** Why a record for which no body could be made has FAILED. */
export function failureReason(error: unknown): Reason {
  if (error instanceof FilterError) return Reason.FILTER_FAILED
  if (error instanceof TransformError) return Reason.TRANSFORM_FAILED
  return error instanceof DecodeError && error.code === 'BODY_TOO_LARGE' ? Reason.BODY_TOO_LARGE : Reason.DECODE_FAILED
}
