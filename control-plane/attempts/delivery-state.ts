import { DeliveryState, Outcome, Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { ParkedEntry } from '../../runtime/lane-keys.ts'
import type { LaneView } from './lane-position.ts'
import { decidingRow, type Rank } from './outcome-rule.ts'

/** A row of `outcomes`. */
export interface OutcomeRow extends Rank {
  readonly outcome: 'DELIVERED' | 'FAILED' | 'SKIPPED' | 'SUPERSEDED'
  readonly reason: keyof typeof Reason | string
}

/** A row of `ranges` that holds the offset. */
export interface RangeRow {
  readonly kind: string
  readonly reason: string
}

export interface DeliveryFacts {
  readonly offset: number
  readonly lane: LaneView
  readonly outcomes: readonly OutcomeRow[]
  readonly range: RangeRow | undefined
  /** The log has an attempt of it. */
  readonly attempted: boolean
}

export interface DeliveryStatus {
  readonly state: DeliveryState
  readonly outcome: Outcome
  readonly reason: Reason
  readonly nextAttemptMs: number | undefined
}

const parkedStates: Record<ParkedEntry['state'], DeliveryState> = {
  P: DeliveryState.PARKED,
  B: DeliveryState.BEHIND,
  X: DeliveryState.EXHAUSTED,
  H: DeliveryState.BLOCKED,
  D: DeliveryState.DEAD_LETTER,
  S: DeliveryState.SENDING,
}

/** Where a delivery is and what became of it. Redis must have been read before the log: then what it no longer parks is in the log. */
export function deliveryStatus(facts: DeliveryFacts): DeliveryStatus {
  const { lane, outcomes, range } = facts
  const row = decidingRow(outcomes)
  const skip = row === undefined && range !== undefined && skips(range.kind)
  const outcome = row ? Outcome[row.outcome] : skip ? Outcome.SKIPPED : Outcome.UNSPECIFIED
  const reason = reasonOf(row?.reason ?? (skip ? range.reason || range.kind : ''))
  const waiting = lane.parked !== undefined && !outcomes.some((each) => each.round >= lane.parked!.round)
  if (!waiting) return { state: restingState(facts, outcome), outcome, reason, nextAttemptMs: undefined }
  const state = parkedStates[lane.parked!.state]
  const planned = state === DeliveryState.PARKED || state === DeliveryState.EXHAUSTED
  return { state, outcome, reason, nextAttemptMs: planned ? lane.parked!.dueMs : undefined }
}

function restingState({ offset, lane, attempted }: DeliveryFacts, outcome: Outcome): DeliveryState {
  if (outcome !== Outcome.UNSPECIFIED) return DeliveryState.ENDED
  const passed = lane.cursor !== undefined && offset < lane.cursor
  // Its lane has passed it and the log has no outcome: it has expired there, or the log has lost it. See VerifyRange.
  if (passed) return DeliveryState.UNSPECIFIED
  return attempted ? DeliveryState.SENDING : DeliveryState.WAITING
}

/** Whether a range of this kind says that records were deliberately not sent; the others say that there is no record to send. */
export const skips = (kind: string): boolean => kind === 'FILTERED' || kind === 'TOMBSTONE' || kind === 'OPERATOR'

/** The contract's reason of a name in the log; UNSPECIFIED for what the contract has no word for. */
const reasonOf = (name: string): Reason => (name in Reason ? Reason[name as keyof typeof Reason] : Reason.UNSPECIFIED)

/** Something that has a number within its round: a row of the log, or a parked delivery with its attempts so far. */
export interface Numbered {
  readonly round: number
  readonly attempt: number
  readonly epoch?: number
}

/**
 * Attempts of all rounds. The log may have forgotten some, and Redis knows their number only; on the other side a crash lets an
 * epoch count again from 1. So of each round it is the larger of the highest number and the distinct ones that the log has.
 */
export function countAttempts(known: readonly Numbered[]): number {
  const rounds = new Map<number, { identities: Set<string>; highest: number }>()
  for (const { round, attempt, epoch } of known) {
    const counted = rounds.get(round) ?? { identities: new Set<string>(), highest: 0 }
    rounds.set(round, counted)
    counted.highest = Math.max(counted.highest, attempt)
    if (attempt > 0 && epoch !== undefined) counted.identities.add(`${epoch} ${attempt}`)
  }
  return [...rounds.values()].reduce((sum, { identities, highest }) => sum + Math.max(identities.size, highest), 0)
}
