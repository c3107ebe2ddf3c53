import type { Run } from '../../runtime/lane-keys.ts'
import type { LogReader, ReadLimits } from './log-reader.ts'
import { packSlices, type Slice } from './offset-slices.ts'
import { QueryError } from './query-error.ts'
import { addCounts, countRange, noCounts, type OffsetCounts } from './range-counts.ts'
import { RangeLog } from './range-log.ts'
import type { Asked } from './resolve-ranges.ts'
import { toRuns } from './runs.ts'
import { countPlanned, planVerification, type VerifiedUseCase, type VerifyPlan, type VerifySources } from './verify-plan.ts'

export interface VerifyLimits extends ReadLimits {
  /** Offsets that one question to the log may cover. */
  readonly sliceOffsetsMax: number
  /** Offsets that one call may cover. */
  readonly offsetsMax: number
}

export interface Counts extends OffsetCounts {
  readonly attempts: number
}

export interface PartitionCounts extends Slice {
  readonly counts: Counts
  /** The first ones that are missing. */
  readonly missing: readonly Run[]
  readonly floor: number | undefined
}

/** Names of the contract's IncompleteReason. */
export type IncompleteReasonName =
  | 'MISSING'
  | 'ON_THE_WAY'
  | 'SPOOL_NOT_DRAINED'
  | 'LANE_STATE_UNKNOWN'
  | 'LOG_EXPIRED'
  | 'TOPIC_CHANGED'

/** Names of the contract's VerificationWarning. */
export type WarningName = 'DELETED_UNREAD' | 'BEFORE_START'

export interface Verification {
  readonly total: Counts
  readonly partitions: readonly PartitionCounts[]
  readonly spooledInserts: number
  readonly complete: boolean
  readonly incompleteReasons: readonly IncompleteReasonName[]
  readonly warnings: readonly WarningName[]
  readonly topicId: string
  /** Unix ms. */
  readonly asOfMs: number
}

/** Runs that are told of one partition, and of all together. */
const missingRunsMax = 100
const missingRunsInAllMax = 10_000
/** Partitions that one question to the log may name. */
const slicesMax = 1000

/** Counts what became of every offset that is asked for. */
export async function verifyRange(
  sources: VerifySources,
  limits: VerifyLimits,
  subject: VerifiedUseCase,
  asked: Asked,
  nowMs: number,
): Promise<Verification> {
  const plan = await planVerification(sources, limits, subject, asked, nowMs)
  const offsets = countPlanned(plan)
  if (offsets > limits.offsetsMax) {
    const what = `the range has ${offsets} offsets, and one call counts at most ${limits.offsetsMax}`
    throw new QueryError('LIMIT_EXCEEDED', `${what}: ask for fewer partitions or offsets, or use CreateVerification`)
  }
  return countPlan(sources.log, limits, plan)
}

/**
 * Counts piece by piece; `progress` hears after each how many offsets are counted, and what it throws ends it. While something waits
 * in the spool, nothing can be called missing: it counts as on its way, and the range is not complete.
 */
export async function countPlan(
  reader: LogReader,
  limits: VerifyLimits,
  plan: VerifyPlan,
  progress: (offsetsDone: number) => Promise<void> = async () => {},
): Promise<Verification> {
  const log = new RangeLog(reader, plan.subject, limits)
  const counted = new Map<number, { counts: Counts; missing: readonly Run[] }>()
  let done = 0
  for (const group of packSlices(plan.ranges, limits.sliceOffsetsMax, slicesMax)) {
    const [facts, attempts] = await Promise.all([log.facts(group), log.attempts(group)])
    for (const slice of group) {
      const { partition } = slice
      const floor = plan.spooledInserts > 0 ? undefined : plan.floors.get(partition)?.floor
      const expiredBelow = plan.expiredBelow.get(partition) ?? 0
      const { counts, missing } = countRange({ ...slice, ...facts.get(partition)!, floor, expiredBelow })
      const before = counted.get(partition)
      counted.set(partition, {
        counts: addAll(before?.counts ?? none, { ...counts, attempts: attempts.get(partition) ?? 0 }),
        missing: toRuns([...(before?.missing ?? []), ...missing]).slice(0, missingRunsMax),
      })
      done += slice.to - slice.from
    }
    await progress(done)
  }
  return summarize(plan, counted)
}

const none: Counts = { ...noCounts, attempts: 0 }
const addAll = (a: Counts, b: Counts): Counts => ({ ...addCounts(a, b), attempts: a.attempts + b.attempts })

function summarize(plan: VerifyPlan, counted: ReadonlyMap<number, { counts: Counts; missing: readonly Run[] }>): Verification {
  let room = missingRunsInAllMax
  const partitions = plan.ranges.map((range): PartitionCounts => {
    const { counts, missing } = counted.get(range.partition) ?? { counts: none, missing: [] }
    const told = missing.slice(0, room)
    room -= told.length
    return { ...range, counts, missing: told, floor: plan.floors.get(range.partition)?.floor }
  })
  const total = partitions.reduce<Counts>((sum, { counts }) => addAll(sum, counts), none)
  const isChanged = partitions.some(({ partition }) => plan.changed.has(partition))
  const reasons: readonly (readonly [boolean, IncompleteReasonName])[] = [
    [total.missing > 0, 'MISSING'],
    [total.onTheWay > 0, 'ON_THE_WAY'],
    [plan.spooledInserts > 0, 'SPOOL_NOT_DRAINED'],
    [partitions.some(({ floor, counts }) => floor === undefined && counts.onTheWay > 0), 'LANE_STATE_UNKNOWN'],
    [total.expired > 0, 'LOG_EXPIRED'],
    [isChanged, 'TOPIC_CHANGED'],
  ]
  const warnings: readonly (readonly [boolean, WarningName])[] = [
    [total.holeCounts.has('RETENTION'), 'DELETED_UNREAD'],
    [total.holeCounts.has('BEFORE_START'), 'BEFORE_START'],
  ]
  const incompleteReasons = reasons.filter(([holds]) => holds).map(([, name]) => name)
  return {
    ...{ total, partitions, spooledInserts: plan.spooledInserts, complete: incompleteReasons.length === 0, incompleteReasons },
    warnings: warnings.filter(([holds]) => holds).map(([, name]) => name),
    ...{ topicId: plan.topicId, asOfMs: plan.asOfMs },
  }
}
