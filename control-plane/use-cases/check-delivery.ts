import type { DeliveryPolicy } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Violation } from './violation.ts'

export function checkDelivery({ rateLimit }: DeliveryPolicy): Violation[] {
  if (rateLimit === undefined || rateLimit.recordsPerSecond !== undefined || rateLimit.bytesPerSecond !== undefined) return []
  const field = 'use_case.spec.delivery.rate_limit'
  const description = `${field} must have records_per_second, bytes_per_second or both; given neither: leave rate_limit out for no limit`
  return [{ field, description, reason: 'RATE_LIMIT_EMPTY' }]
}
