import { createHash } from 'node:crypto'
import { toBinary } from '@bufbuild/protobuf'
import {
  Jitter,
  type RetryPolicy,
  RetryPolicySchema,
  StatusAction,
  type StatusRule,
} from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { choice, durationMs, number } from './plan-values.ts'
import type { RetryPlan } from './retry-policy.ts'
import { readStatusRange } from './status-class.ts'

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
    ...compileJitter(policy),
    maxRetries: scheduleMs?.length ?? maxRetries,
    maxElapsedMs: durationMs(`${field}.max_elapsed_time`, policy?.maxElapsedTime, 24 * HOUR_MS, 0),
    scheduleMs,
    retryAfterMaxMs: durationMs(`${field}.retry_after_max`, policy?.retryAfterMax, HOUR_MS, 0),
  }
}

function compileJitter(policy: RetryPolicy | undefined): Pick<RetryPlan, 'jitterFrom' | 'jitterTo'> {
  const ratio = number('spec.retry.jitter_ratio', policy?.jitterRatio, 0.2, 0, 1)
  const spread = { jitterFrom: 1 - ratio, jitterTo: 1 + ratio }
  const kinds = {
    [Jitter.UNSPECIFIED]: spread,
    [Jitter.SPREAD]: spread,
    [Jitter.EQUAL]: { jitterFrom: 0.5, jitterTo: 1 },
    [Jitter.FULL]: { jitterFrom: 0, jitterTo: 1 },
  }
  return choice('spec.retry.jitter', kinds, policy?.jitter)
}

/** A short word for the policy, different for different ones. */
export const policyIdOf = (policy: RetryPolicy | undefined): string =>
  policy === undefined ? '-' : createHash('sha256').update(toBinary(RetryPolicySchema, policy)).digest('base64url').slice(0, 16)

/** The plans of statuses that a rule gives their own waits or number of retries. */
export function compileStatusPlans(rules: readonly StatusRule[], plan: RetryPlan): ReadonlyMap<number, RetryPlan> {
  const plans = new Map<number, RetryPlan>()
  for (const [at, rule] of rules.entries()) {
    if (rule.action !== StatusAction.RETRY) continue
    const field = `spec.retry.status_rules[${at}]`
    const own = compileRulePlan(field, rule, plan)
    for (const range of rule.status) {
      const { first, last } = readStatusRange(`${field}.status`, range)
      for (let status = first; status <= last; status++) plans.set(status, own)
    }
  }
  return plans
}

function compileRulePlan(field: string, { interval, maxRetries }: StatusRule, plan: RetryPlan): RetryPlan {
  const retriesMax = Math.min(plan.maxRetries, number(`${field}.max_retries`, maxRetries, Number.POSITIVE_INFINITY, 0, 100_000))
  if (interval === undefined) return { ...plan, maxRetries: retriesMax }
  const everyMs = durationMs(`${field}.interval`, interval, 0, 1)
  // As a schedule's, its waits may be spread beyond their own length.
  return { ...plan, scheduleMs: [everyMs], maximumMs: everyMs, maxRetries: retriesMax }
}
