import type { Run } from '../../runtime/lane-keys.ts'
import { skips } from './delivery-state.ts'
import { clip, countOffsets, subtract, toRuns } from './runs.ts'

/** Offsets one after the other whose deliveries have the same outcome for the same reason. */
export interface OutcomeRun extends Run {
  readonly outcome: 'DELIVERED' | 'FAILED' | 'SKIPPED' | 'SUPERSEDED'
  readonly reason: string
  /** Successful answers beyond the first, of all these offsets together. */
  readonly repeated: number
}

/** Offsets without an attempt, and why. */
export interface RangeRun extends Run {
  readonly kind: string
  readonly reason: string
}

/** What is known of a range of one partition. Runs may reach beyond it and come in any order. */
export interface RangeFacts {
  readonly from: number
  /** Offset after the last. */
  readonly to: number
  /** No two of them overlap. */
  readonly outcomes: readonly OutcomeRun[]
  /** They may overlap. */
  readonly ranges: readonly RangeRun[]
  /** Every record below has an outcome; undefined when the lane's state is not known. */
  readonly floor: number | undefined
  /** Below it outcomes may have expired. */
  readonly expiredBelow: number
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
  readonly expired: number
  readonly repeated: number
  /** By outcome and reason, as `FAILED TIMEOUT`. */
  readonly outcomeCounts: ReadonlyMap<string, number>
  readonly holeCounts: ReadonlyMap<string, number>
}

export interface Counted {
  readonly counts: OffsetCounts
  readonly missing: readonly Run[]
}

/**
 * Gives every offset of the range to exactly one count. An outcome goes before a skip, a skip before a hole; what nothing is known
 * of has expired or is missing below the floor, and is on its way from there on.
 */
export function countRange({ from, to, outcomes, ranges, floor, expiredBelow }: RangeFacts): Counted {
  const whole = toRuns([{ first: from, last: to - 1 }])
  const outcomeCounts = new Map<string, number>()
  let repeated = 0
  for (const { outcome, reason, first, last, repeated: again } of outcomes) {
    repeated += again
    add(outcomeCounts, `${outcome} ${reason}`, Math.min(last, to - 1) - Math.max(first, from) + 1)
  }
  const unanswered = subtract(whole, toRuns(outcomes))
  const skipped = takeOut(unanswered, ranges.filter(isSkip), skipReason)
  for (const [reason, count] of skipped.counts) add(outcomeCounts, `SKIPPED ${reason}`, count)
  const holes = takeOut(skipped.rest, ranges.filter(isHole), ({ kind }) => kind)
  const open = holes.rest
  const passed = Math.max(from, floor ?? from)
  const expired = countOffsets(clip(open, from, Math.min(passed, expiredBelow)))
  const missing = clip(open, Math.max(from, expiredBelow), passed)
  const missingCount = countOffsets(missing)
  const offsets = countOffsets(whole)
  const holeCount = countOffsets(skipped.rest) - countOffsets(open)
  const of = (outcome: string): number => sum(outcomeCounts, (name) => name.startsWith(`${outcome} `))
  const counts = {
    ...{ offsets, published: offsets - holeCount, holes: holeCount },
    ...{ delivered: of('DELIVERED'), failed: of('FAILED'), skipped: of('SKIPPED'), superseded: of('SUPERSEDED') },
    ...{ onTheWay: countOffsets(open) - missingCount - expired, missing: missingCount, expired, repeated },
    ...{ outcomeCounts, holeCounts: holes.counts },
  }
  return { counts, missing }
}

const isSkip = ({ kind }: RangeRun): boolean => skips(kind)
const isHole = ({ kind }: RangeRun): boolean => !skips(kind)
const skipReason = ({ kind, reason }: RangeRun): string => reason || kind

/** Takes ranges out of a set, those of one name after those of another, and counts what each name has taken. */
function takeOut(from: readonly Run[], ranges: readonly RangeRun[], nameOf: (range: RangeRun) => string) {
  const counts = new Map<string, number>()
  let rest = from
  for (const [name, some] of [...Map.groupBy(ranges, nameOf)].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const left = subtract(rest, toRuns(some))
    add(counts, name, countOffsets(rest) - countOffsets(left))
    rest = left
  }
  return { rest, counts }
}

function add(counts: Map<string, number>, name: string, count: number): void {
  if (count > 0) counts.set(name, (counts.get(name) ?? 0) + count)
}

function sum(counts: ReadonlyMap<string, number>, isCounted: (name: string) => boolean): number {
  let total = 0
  for (const [name, count] of counts) if (isCounted(name)) total += count
  return total
}

function addMaps(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const both = new Map(a)
  for (const [name, count] of b) add(both, name, count)
  return both
}

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
    expired: a.expired + b.expired,
    repeated: a.repeated + b.repeated,
    outcomeCounts: addMaps(a.outcomeCounts, b.outcomeCounts),
    holeCounts: addMaps(a.holeCounts, b.holeCounts),
  }
}

export const noCounts: OffsetCounts = {
  ...{ offsets: 0, published: 0, holes: 0, delivered: 0, failed: 0, skipped: 0, superseded: 0 },
  ...{ onTheWay: 0, missing: 0, expired: 0, repeated: 0, outcomeCounts: new Map(), holeCounts: new Map() },
}
