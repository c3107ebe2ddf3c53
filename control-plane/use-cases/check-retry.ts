import { durationMs } from '@bufbuild/protobuf/wkt'
import { Jitter, type RetryPolicy } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { checkStatusRanges } from './check-status-ranges.ts'
import { checkStatusRules } from './check-status-rules.ts'
import { defaults } from './defaults.ts'
import { effectiveSuccess, statusesOf, statusRuns } from './status-ranges.ts'
import { someOf, type Violation } from './violation.ts'

const path = 'use_case.spec.retry'

export function checkRetry(retry: RetryPolicy): Violation[] {
  return [
    ...checkSchedule(retry),
    ...checkIntervals(retry),
    ...checkStatusRanges('success_status', retry.successStatus),
    ...checkStatusRanges('retryable_status', retry.retryableStatus),
    ...checkOverlap(retry),
    ...checkJitter(retry),
    ...checkStatusRules(retry.statusRules),
  ]
}

function checkSchedule(retry: RetryPolicy): Violation[] {
  if (retry.schedule.length === 0) return []
  const given = [
    ['initial_interval', retry.initialInterval],
    ['backoff_coefficient', retry.backoffCoefficient],
    ['maximum_interval', retry.maximumInterval],
    ['max_retries', retry.maxRetries],
  ] as const
  return given
    .filter(([, value]) => value !== undefined)
    .map(([name]) => {
      const field = `${path}.${name}`
      const description = `${field} must not be set beside a schedule, which replaces it (${retry.schedule.length} waits given): leave one of them out`
      return { field, description, reason: 'SCHEDULE_EXCLUSIVE' }
    })
}

function checkIntervals({ initialInterval, maximumInterval, schedule }: RetryPolicy): Violation[] {
  if (initialInterval === undefined || schedule.length > 0) return []
  const initialMs = durationMs(initialInterval)
  const maximumMs = maximumInterval ? durationMs(maximumInterval) : defaults.maximumIntervalMs
  if (initialMs <= maximumMs) return []
  const field = `${path}.initial_interval`
  const maximum = maximumInterval ? `${maximumMs / 1000}s` : `${maximumMs / 1000}s (the default)`
  const description = `${field} must be at most the maximum_interval of ${maximum}; given ${initialMs / 1000}s`
  return [{ field, description, reason: 'INTERVAL_ORDER' }]
}

function checkJitter({ jitter, jitterRatio }: RetryPolicy): Violation[] {
  if (jitterRatio === undefined || jitter === Jitter.UNSPECIFIED || jitter === Jitter.SPREAD) return []
  const field = `${path}.jitter_ratio`
  const kind = jitter === Jitter.FULL ? 'FULL, which draws from nothing' : 'EQUAL, which draws from half of the wait'
  const description = `${field} must not be set beside jitter ${kind} to the whole wait; given ${jitterRatio}: leave one of them out`
  return [{ field, description, reason: 'JITTER_EXCLUSIVE' }]
}

/** A list that was asked for must not be in vain; against a default retryable status, a success that was asked for wins. */
function checkOverlap(retry: RetryPolicy): Violation[] {
  const success = statusesOf(effectiveSuccess(retry.successStatus))
  const both = new Set([...statusesOf(retry.retryableStatus)].filter((status) => success.has(status)))
  if (both.size === 0) return []
  const field = `${path}.retryable_status`
  const ofDefault = retry.successStatus.length === 0 ? ' (the default, 200-299)' : ''
  const statuses = someOf(statusRuns(both))
  const description = `${field} must not have what success_status has too${ofDefault}; both have ${statuses}: take it out of one of them`
  return [{ field, description, reason: 'STATUS_OVERLAP' }]
}
