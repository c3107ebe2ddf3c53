import { type DeliveryPolicy, Ordering } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Violation } from './violation.ts'

export const checkDelivery = (delivery: DeliveryPolicy): Violation[] => [
  ...checkRateLimit(delivery),
  ...checkLatestVersion(delivery),
]

function checkLatestVersion({ latestVersionWins, ordering }: DeliveryPolicy): Violation[] {
  if (!latestVersionWins || ordering === Ordering.KEY) return []
  const field = 'use_case.spec.delivery.latest_version_wins'
  const description = `${field} needs ORDERING_KEY, which says what is a version of what: leave it out, or ask for that order`
  return [{ field, description, reason: 'LATEST_VERSION_ORDER' }]
}

function checkRateLimit({ rateLimit }: DeliveryPolicy): Violation[] {
  if (rateLimit === undefined || rateLimit.recordsPerSecond !== undefined || rateLimit.bytesPerSecond !== undefined) return []
  const field = 'use_case.spec.delivery.rate_limit'
  const description = `${field} must have records_per_second, bytes_per_second or both; given neither: leave rate_limit out for no limit`
  return [{ field, description, reason: 'RATE_LIMIT_EMPTY' }]
}
