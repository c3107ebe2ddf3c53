import type { RetryPolicy } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { durationMs, number } from './plan-values.ts'
import type { RetryPlan } from './retry-policy.ts'

const HOUR_MS = 3_600_000

/** A retry policy with the contract's defaults. A schedule replaces the intervals and max_retries; jitter and max_elapsed_time stay. */
export function compileRetryPlan(policy: RetryPolicy | undefined): RetryPlan {
  const field = 'spec.retry'
  const schedule = policy?.schedule ?? []
  const scheduleMs =
    schedule.length === 0 ? undefined : schedule.map((each, at) => durationMs(`${field}.schedule[${at}]`, each, 0, 1))
  const maxRetries = number(`${field}.max_retries`, policy?.maxRetries, Number.POSITIVE_INFINITY, 0, Number.MAX_SAFE_INTEGER)
  const maximumMs = durationMs(`${field}.maximum_interval`, policy?.maximumInterval, HOUR_MS, 1)
  return {
    initialMs: durationMs(`${field}.initial_interval`, policy?.initialInterval, Math.min(5000, maximumMs), 1),
    coefficient: number(`${field}.backoff_coefficient`, policy?.backoffCoefficient, 2, 1, 100),
    maximumMs: scheduleMs === undefined ? maximumMs : Math.max(...scheduleMs),
    jitterRatio: number(`${field}.jitter_ratio`, policy?.jitterRatio, 0.2, 0, 1),
    maxRetries: scheduleMs?.length ?? maxRetries,
    maxElapsedMs: durationMs(`${field}.max_elapsed_time`, policy?.maxElapsedTime, 24 * HOUR_MS, 0),
    scheduleMs,
    retryAfterMaxMs: durationMs(`${field}.retry_after_max`, policy?.retryAfterMax, HOUR_MS, 0),
  }
}
