import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'

/** A use case's retry policy with every default filled in. */
export interface RetryPlan {
  /** Wait after the first attempt. */
  readonly initialMs: number
  readonly coefficient: number
  /** No wait is longer, jitter included. With a schedule: its longest wait, before jitter. */
  readonly maximumMs: number
  /** A wait is drawn evenly from its own length times the one to its length times the other. */
  readonly jitterFrom: number
  readonly jitterTo: number
  /** Attempts after the first one; Infinity for no limit. With a schedule: its length. */
  readonly maxRetries: number
  /** No attempt is planned later than this after the first one. */
  readonly maxElapsedMs: number
  /** The waits one by one, in place of the exponential ones. */
  readonly scheduleMs: readonly number[] | undefined
  /** The longest Retry-After that is honoured; 0 ignores the header. */
  readonly retryAfterMaxMs: number
}

/** An attempt that has just failed in a way that is worth another one. */
export interface FailedAttempt {
  /** Attempts in this round so far, this one included: at least 1. */
  readonly attempts: number
  /** When the round's first attempt was sent. Unix ms, as all times here. */
  readonly firstMs: number
  readonly nowMs: number
  /** The wait that the answer asked for. */
  readonly retryAfterMs: number | undefined
  /** Evenly spread over 0 to 1, drawn for this call. */
  readonly random: number
}

/** What nextAttempt answers in place of a time when there is to be no further attempt. */
export const OUT_OF_RETRIES = -Reason.MAX_RETRIES_REACHED
export const OUT_OF_TIME = -Reason.MAX_ELAPSED

/**
 * When the next attempt is due in Unix ms, or, below zero, minus the Reason why there is none: OUT_OF_RETRIES or OUT_OF_TIME.
 * A number, so that an outage of many records makes no garbage here.
 */
export function nextAttempt(plan: RetryPlan, failed: FailedAttempt): number {
  if (failed.attempts > plan.maxRetries) return OUT_OF_RETRIES
  const dueMs = dueAfter(plan, failed, baseWaitMs(plan, failed.attempts))
  return dueMs - failed.firstMs > plan.maxElapsedMs ? OUT_OF_TIME : dueMs
}

/** When a delivery that is out of retries, and that no credit lets fail, is tried again. */
export function nextExhaustedAttempt(plan: RetryPlan, failed: FailedAttempt): number {
  return dueAfter(plan, failed, plan.maximumMs)
}

/**
 * The wait before jitter after so many attempts: min(initial x coefficient ^ (attempts - 1), maximum).
 * Temporal's definition of backoff coefficient and maximum interval.
 */
export function baseWaitMs(plan: RetryPlan, attempts: number): number {
  if (plan.scheduleMs !== undefined) return plan.scheduleMs[attempts - 1] ?? plan.maximumMs
  return Math.min(plan.initialMs * plan.coefficient ** (attempts - 1), plan.maximumMs)
}

function dueAfter(plan: RetryPlan, failed: FailedAttempt, baseMs: number): number {
  // At the maximum the spread ends there: cutting after the draw would make half of all waits exactly the maximum, one herd.
  const lowestMs = baseMs * plan.jitterFrom
  const spreadMs = baseMs * plan.jitterTo
  const highestMs = plan.scheduleMs === undefined ? Math.min(spreadMs, plan.maximumMs) : spreadMs
  const waitMs = lowestMs + failed.random * (highestMs - lowestMs)
  const askedMs = Math.min(failed.retryAfterMs ?? 0, plan.retryAfterMaxMs)
  return failed.nowMs + Math.round(Math.max(waitMs, askedMs))
}
