import type { Run } from '../../runtime/lane-keys.ts'
import type { Redis } from '../../runtime/redis.ts'
import { readLanePosition } from './lane-position.ts'
import type { LogReader, ReadLimits } from './log-reader.ts'
import { packSlices, type Slice } from './offset-slices.ts'
import { refuse } from './query-error.ts'
import { addCounts, countRange, noCounts, type OffsetCounts } from './range-counts.ts'
import { RangeLog } from './range-log.ts'
import { type AskedRange, checkRanges, resolveRanges } from './resolve-ranges.ts'
import { toRuns } from './runs.ts'
import { laneOf, type Subject } from './subject.ts'
import { askOffsets, type TopicOffsets } from './topic-offsets.ts'

export interface VerifyLimits extends ReadLimits {
  /** Offsets that one question to the log may cover. */
  readonly sliceOffsetsMax: number
}

export interface Counts extends OffsetCounts {
  readonly attempts: number
}

export interface PartitionCounts extends Slice {
  readonly counts: Counts
  /** The first ones that are missing. */
  readonly missing: readonly Run[]
}

export interface Verification {
  readonly total: Counts
  readonly partitions: readonly PartitionCounts[]
  /** Inserts that wait for ClickHouse in the spool; whose they are is not known. */
  readonly spooledInserts: number
  readonly complete: boolean
}

const missingRunsMax = 100
/** Partitions that one question to the log may name. */
const slicesMax = 1000
const lanesAtOnce = 16

export interface VerifySources {
  readonly log: LogReader
  readonly redis: Redis
  readonly offsets: TopicOffsets
  /** 0: all that was durable when it was asked is in the log. */
  readonly spool: { waiting(): Promise<number> }
}

/**
 * Counts what became of every offset of the asked ranges; none means the whole use case. Redis is read first, then the spool, then
 * the log: whatever is below a floor by then has its outcome in the log already, or in the spool. While something waits there,
 * nothing can be called missing: it counts as on its way, and the range is not complete.
 */
export async function verifyRange(
  sources: VerifySources,
  limits: VerifyLimits,
  subject: Subject,
  asked: readonly AskedRange[],
): Promise<Verification> {
  const ends = await askOffsets(sources.offsets.endOffsets(subject.cluster, subject.topic))
  refuse(checkRanges(asked, ends, subject.topic))
  const partitions = asked.length > 0 ? asked.map((range) => range.partition) : [...ends.keys()]
  const stored = await readFloors(sources.redis, subject, partitions)
  const spooledInserts = await askOffsets(sources.spool.waiting())
  const floors = spooledInserts > 0 ? new Map<number, number>() : stored
  const log = new RangeLog(sources.log, subject, limits)
  const ranges = resolveRanges(asked, await log.starts(), ends)
  const counted = new Map<number, { counts: OffsetCounts; missing: readonly Run[] }>()
  const attempts = new Map<number, number>()
  for (const group of packSlices(ranges, limits.sliceOffsetsMax, slicesMax)) {
    const facts = await log.facts(group)
    for (const slice of group) {
      const { counts, missing } = countRange({ ...slice, ...facts.get(slice.partition)!, floor: floors.get(slice.partition) })
      const before = counted.get(slice.partition)
      counted.set(slice.partition, {
        counts: before ? addCounts(before.counts, counts) : counts,
        missing: toRuns([...(before?.missing ?? []), ...missing]).slice(0, missingRunsMax),
      })
    }
  }
  for (const group of packSlices(ranges, Number.MAX_SAFE_INTEGER, slicesMax))
    for (const [partition, count] of await log.attempts(group)) attempts.set(partition, count)
  return summarize(
    ranges.map((range) => {
      const { counts, missing } = counted.get(range.partition) ?? { counts: noCounts, missing: [] }
      return { ...range, counts: { ...counts, attempts: attempts.get(range.partition) ?? 0 }, missing }
    }),
    spooledInserts,
  )
}

async function readFloors(redis: Redis, subject: Subject, partitions: readonly number[]): Promise<Map<number, number>> {
  const floors = new Map<number, number>()
  for (let index = 0; index < partitions.length; index += lanesAtOnce) {
    const some = partitions.slice(index, index + lanesAtOnce)
    const positions = await Promise.all(some.map((partition) => readLanePosition(redis, laneOf(subject, partition))))
    for (const [at, position] of positions.entries()) if (position) floors.set(some[at]!, position.floor)
  }
  return floors
}

function summarize(partitions: readonly PartitionCounts[], spooledInserts: number): Verification {
  const total = partitions.reduce<Counts>(
    (sum, { counts }) => ({ ...addCounts(sum, counts), attempts: sum.attempts + counts.attempts }),
    { ...noCounts, attempts: 0 },
  )
  const complete = total.missing === 0 && total.onTheWay === 0 && spooledInserts === 0
  return { total, partitions, spooledInserts, complete }
}
