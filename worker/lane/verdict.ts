import { Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { ParkedState } from '../../runtime/lane-keys.ts'
import { payGiveUp } from '../deliver/credit.ts'
import { type FailedAttempt, nextAttempt, nextExhaustedAttempt, type RetryPlan } from '../deliver/retry-policy.ts'

// What becomes of a delivery whose attempt did not succeed.
//
//   answer    | policy    | credit | row                        | next
//   aborted   |           |        | RETRY its reason           | parked P, due at once; costs no retry
//   retryable | goes on   |        | RETRY its reason           | parked P, due by the policy
//   retryable | exhausted | paid   | FAILED MAX_...             | ended
//   retryable | exhausted | none   | RETRY its reason           | parked X, due at maximum_interval
//   final     |           | paid   | FAILED its reason          | ended
//   final     |           | none   | RETRY its reason           | parked X, due at maximum_interval
//   what is FAILED here, with a dead-letter topic   | RETRY, as FAILED would have | parked D, until the topic has it
//   either of the last four, when the policy blocks | RETRY, as FAILED would have | parked H, never due

export type Answer = 'ABORTED' | 'RETRYABLE' | 'FINAL'

export interface Rules {
  readonly retry: RetryPlan
  /** In place of `retry` after an answer with such a status. */
  readonly statusPlans: ReadonlyMap<number, RetryPlan>
  readonly giveUpFunded: boolean
  /** What would fail waits for an operator, and what follows it, too. */
  readonly blocks: boolean
  /** Empty: none. What would fail goes there first. */
  readonly deadLetterTopic: string
}

export interface Unsuccessful extends FailedAttempt {
  /** NO_ANSWER when there was none. */
  readonly status: number
  /** Giving up is then cheap. */
  readonly speaksOfRecord: boolean
}

export interface Verdict {
  readonly outcome: typeof Outcome.FAILED | typeof Outcome.RETRY
  readonly reason: number
  /** How it waits; undefined when it has ended. */
  readonly state: ParkedState | undefined
  readonly dueMs: number
  readonly credit: number
}

/** How a delivery waits that would be FAILED; undefined when it is. */
export const givenUpState = ({ blocks, deadLetterTopic }: Pick<Rules, 'blocks' | 'deadLetterTopic'>): 'H' | 'D' | undefined =>
  blocks ? 'H' : deadLetterTopic === '' ? undefined : 'D'

/** `failed.attempts` counts only attempts that cost a retry, the one that has just failed included. */
export function judge(rules: Rules, answer: Answer, reason: number, failed: Unsuccessful, credit: number): Verdict {
  if (answer === 'ABORTED') return { outcome: Outcome.RETRY, reason, state: 'P', dueMs: failed.nowMs, credit }
  const retry = rules.statusPlans.get(failed.status) ?? rules.retry
  const due = answer === 'FINAL' ? -reason : nextAttempt(retry, failed)
  if (due >= 0) return { outcome: Outcome.RETRY, reason, state: 'P', dueMs: due, credit }
  const state = givenUpState(rules)
  if (state === 'H') return { outcome: Outcome.RETRY, reason: -due, state, dueMs: 0, credit }
  const rest = rules.giveUpFunded ? payGiveUp(credit, failed.speaksOfRecord) : credit
  const outcome = state === undefined ? Outcome.FAILED : Outcome.RETRY
  if (rest >= 0) return { outcome, reason: -due, state, dueMs: 0, credit: rest }
  return { outcome: Outcome.RETRY, reason, state: 'X', dueMs: nextExhaustedAttempt(retry, failed), credit }
}
