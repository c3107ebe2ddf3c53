import { GiveUp, OnExhausted, Ordering, type UseCaseSpec } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Violation } from './violation.ts'

/** on_exhausted BLOCK needs something that waits behind, and gives nothing up. */
export function checkBlocking({ retry, delivery }: UseCaseSpec): Violation[] {
  if (retry?.onExhausted !== OnExhausted.BLOCK) return []
  const violations: Violation[] = []
  if ((delivery?.ordering ?? Ordering.UNSPECIFIED) <= Ordering.UNORDERED) {
    const field = 'use_case.spec.retry.on_exhausted'
    const description = `${field} BLOCK needs ORDERING_KEY or ORDERING_PARTITION: with ORDERING_UNORDERED nothing waits behind a delivery. Leave it out, or ask for an order`
    violations.push({ field, description, reason: 'BLOCK_UNORDERED' })
  }
  if (retry.giveUp !== GiveUp.UNSPECIFIED) {
    const field = 'use_case.spec.retry.give_up'
    const description = `${field} must not be set beside on_exhausted BLOCK, which gives nothing up: leave one of them out`
    violations.push({ field, description, reason: 'GIVE_UP_EXCLUSIVE' })
  }
  return violations
}
