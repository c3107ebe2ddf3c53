import type { Run } from '../../runtime/lane-keys.ts'
import { clip, countOffsets, subtract, toRuns } from './runs.ts'

/** Offsets one after the other whose deliveries have the same outcome. */
export interface OutcomeRun extends Run {
  readonly outcome: 'DELIVERED' | 'FAILED' | 'SKIPPED' | 'SUPERSEDED'
  /** Successful answers beyond the first, of all these offsets together. */
  readonly repeated: number
}

/** What is known of a range of one partition. Runs may reach beyond it, overlap and come in any order. */
export interface RangeFacts {
  readonly from: number
  /** Offset after the last. */
  readonly to: number
  /** No two of them overlap. */
  readonly outcomes: readonly OutcomeRun[]
  /** Deliberately not sent. */
  readonly skipped: readonly Run[]
  /** No record to deliver. */
  readonly holes: readonly Run[]
  /** Every record below has an outcome; undefined when the lane's state is not known. */
  readonly floor: number | undefined
}

/** RangeCounts of the contract without `attempts`. */
export interface OffsetCounts {
  readonly offsets: number
  readonly published: number
  readonly holes: number
  readonly delivered: number
  readonly failed: number
  readonly skipped: number
  readonly superseded: number
  readonly onTheWay: number
  readonly missing: number
  readonly repeated: number
}

export interface Counted {
  readonly counts: OffsetCounts
  readonly missing: readonly Run[]
}

/**
 * Gives every offset of the range to exactly one count. An outcome goes before a skip, a skip before a hole; what nothing is known
 * of is missing below the floor and on its way from there on.
 */
export function countRange({ from, to, outcomes, skipped, holes, floor }: RangeFacts): Counted {
  const whole = toRuns([{ first: from, last: to - 1 }])
  const unanswered = subtract(whole, toRuns(outcomes))
  const unskipped = subtract(unanswered, toRuns(skipped))
  const open = subtract(unskipped, toRuns(holes))
  const missing = clip(open, from, floor ?? from)
  const of = (outcome: OutcomeRun['outcome']): number => countOffsets(clip(outcomes.filter(is(outcome)), from, to))
  const offsets = countOffsets(whole)
  const holeCount = countOffsets(unskipped) - countOffsets(open)
  const missingCount = countOffsets(missing)
  const counts = {
    offsets,
    published: offsets - holeCount,
    holes: holeCount,
    delivered: of('DELIVERED'),
    failed: of('FAILED'),
    skipped: of('SKIPPED') + countOffsets(unanswered) - countOffsets(unskipped),
    superseded: of('SUPERSEDED'),
    onTheWay: countOffsets(open) - missingCount,
    missing: missingCount,
    repeated: outcomes.reduce((sum, run) => sum + run.repeated, 0),
  }
  return { counts, missing }
}

const is =
  (outcome: OutcomeRun['outcome']) =>
  (run: OutcomeRun): boolean =>
    run.outcome === outcome

export function addCounts(a: OffsetCounts, b: OffsetCounts): OffsetCounts {
  return {
    offsets: a.offsets + b.offsets,
    published: a.published + b.published,
    holes: a.holes + b.holes,
    delivered: a.delivered + b.delivered,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
    superseded: a.superseded + b.superseded,
    onTheWay: a.onTheWay + b.onTheWay,
    missing: a.missing + b.missing,
    repeated: a.repeated + b.repeated,
  }
}

export const noCounts: OffsetCounts = {
  offsets: 0,
  published: 0,
  holes: 0,
  delivered: 0,
  failed: 0,
  skipped: 0,
  superseded: 0,
  onTheWay: 0,
  missing: 0,
  repeated: 0,
}
