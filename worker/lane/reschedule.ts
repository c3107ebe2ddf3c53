import type { ParkedEntry, ParkedState } from '../../runtime/lane-keys.ts'
import { nextAttempt, nextExhaustedAttempt } from '../deliver/retry-policy.ts'
import type { Parking } from './parking.ts'
import type { Rules } from './verdict.ts'

// What a new retry policy makes of a delivery that waits. Its wait is counted from its last attempt, without what its answer asked for.
//
//   it is       | by the new policy       | then
//   parked      | would go on sooner      | due at that time; never later than it was, and its planned attempt is made in any case
//   exhausted   | goes on                 | parked, due by the policy
//   or blocked  | is exhausted, and blocks| blocked
//               | is exhausted            | exhausted, due at maximum_interval; what was blocked at once
//   given up, behind, on its way, or before its first attempt | as it was

export function rescheduleAll(parking: Parking, rules: Rules, nowMs: number): void {
  for (const entry of [...parking.entries()]) {
    if (entry.ended || entry.sending) continue
    const next = reschedule(rules, entry, nowMs, Math.random())
    if (next !== undefined) parking.change(entry, next.state, next.dueMs)
  }
}

/** Undefined: as it was. */
export function reschedule(
  rules: Rules,
  entry: ParkedEntry,
  nowMs: number,
  random: number,
): { readonly state: ParkedState; readonly dueMs: number } | undefined {
  const { state, attempts, unpaid, firstMs, lastMs, dueMs } = entry
  const paid = attempts - unpaid
  if (state === 'B' || state === 'S' || state === 'D' || (paid < 1 && state === 'P')) return undefined
  const failed = { attempts: Math.max(1, paid), firstMs, nowMs: lastMs, retryAfterMs: undefined, random }
  const due = nextAttempt(rules.retry, failed)
  if (due >= 0) return state === 'P' && due >= dueMs ? undefined : { state: 'P', dueMs: due }
  if (state === 'P') return undefined
  if (rules.blocks) return state === 'H' ? undefined : { state: 'H', dueMs: 0 }
  if (state === 'H') return { state: 'X', dueMs: nowMs }
  const again = nextExhaustedAttempt(rules.retry, failed)
  return again < dueMs ? { state: 'X', dueMs: again } : undefined
}
