import { timestampMs } from '@bufbuild/protobuf/wkt'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Redis } from '../../runtime/redis.ts'
import { type LaneFloor, readFloors } from './lane-floors.ts'
import type { LogReader, ReadLimits } from './log-reader.ts'
import type { Slice } from './offset-slices.ts'
import { refuse } from './query-error.ts'
import { RangeLog } from './range-log.ts'
import { type Asked, checkAsked, resolveRanges } from './resolve-ranges.ts'
import { resolveTime } from './resolve-times.ts'
import { type Subject, subjectOf } from './subject.ts'
import { askOffsets, type VerifiedTopic } from './topic-offsets.ts'

export interface VerifySources {
  readonly log: LogReader
  readonly redis: Redis
  readonly offsets: VerifiedTopic
  /** 0: all that was durable when it was asked is in the log. */
  readonly spool: { waiting(): Promise<number> }
}

/** A use case of which something is to be verified. */
export interface VerifiedUseCase extends Subject {
  /** Unix ms. */
  readonly createMs: number
}

export const verifiedUseCase = (useCase: UseCase): VerifiedUseCase => ({
  ...subjectOf(useCase),
  createMs: useCase.createTime === undefined ? 0 : timestampMs(useCase.createTime),
})

/** What was true when counting began; the log is read after it. */
export interface VerifyPlan {
  readonly subject: VerifiedUseCase
  readonly topicId: string
  readonly ranges: readonly Slice[]
  readonly floors: ReadonlyMap<number, LaneFloor>
  /** Partitions whose offsets are not those that the lane has outcomes of. */
  readonly changed: ReadonlySet<number>
  /** Inserts that wait for ClickHouse in the spool; whose they are is not known. */
  readonly spooledInserts: number
  /** By partition, below which offset outcomes may have expired; one that is left out has no such outcomes. */
  readonly expiredBelow: ReadonlyMap<number, number>
  /** Unix ms. */
  readonly asOfMs: number
}

/** Offsets that are to be counted. */
export const countPlanned = ({ ranges }: VerifyPlan): number => ranges.reduce((sum, { from, to }) => sum + to - from, 0)

/** How long the log keeps outcomes and ranges: the migration says so. */
const outcomesKeptMs = 400 * 86_400_000
/** The clocks of workers, ClickHouse and this process differ by less. */
const clockMs = 86_400_000

/**
 * Kafka's ends are read first, then Redis, then the spool: whatever is below a floor by then has its outcome in the log already, or
 * in the spool. Throws QueryError, with everything that is wrong with the question.
 */
export async function planVerification(
  sources: VerifySources,
  limits: ReadLimits,
  subject: VerifiedUseCase,
  asked: Asked,
  nowMs: number,
): Promise<VerifyPlan> {
  const { offsets, redis, spool } = sources
  const { cluster, topic } = subject
  const topicId = await askOffsets(offsets.topicId(cluster, topic))
  const ends = await askOffsets(offsets.endOffsets(cluster, topic))
  refuse(checkAsked(asked, ends, topic))
  const partitions = asked.ranges.length > 0 ? asked.ranges.map((range) => range.partition) : [...ends.keys()]
  const floors = await readFloors(redis, subject, partitions)
  const spooledInserts = await askOffsets(spool.waiting())
  const log = new RangeLog(sources.log, subject, limits)
  const timed = async (timeMs: number | undefined) =>
    timeMs === undefined ? undefined : await resolveTime(offsets, log, subject, partitions, timeMs)
  const times = { from: await timed(asked.fromMs), to: await timed(asked.toMs) }
  const ranges = resolveRanges(asked.ranges, await log.starts(), ends, times)
  const changed = await findChanged(offsets, subject, topicId, floors, ends)
  const expiredBelow = await findExpired(log, subject, floors, nowMs)
  return { subject, topicId, ranges, floors, changed, spooledInserts, expiredBelow, asOfMs: nowMs }
}

/** A lane that is bound to another topic of this name, or that is further than Kafka is. */
async function findChanged(
  offsets: VerifiedTopic,
  { cluster, topic }: Subject,
  topicId: string,
  floors: ReadonlyMap<number, LaneFloor>,
  ends: ReadonlyMap<number, number>,
): Promise<Set<number>> {
  const isOther = (lane: LaneFloor): boolean => lane.topicId !== '' && topicId !== '' && lane.topicId !== topicId
  const ahead = [...floors].filter(([partition, { floor }]) => floor > (ends.get(partition) ?? 0))
  // Records may have come, and been delivered, since the ends were read.
  const later = ahead.length > 0 ? await askOffsets(offsets.endOffsets(cluster, topic)) : ends
  const cut = ahead.filter(([partition, { floor }]) => floor > (later.get(partition) ?? 0))
  return new Set([...[...floors].filter(([, lane]) => isOther(lane)), ...cut].map(([partition]) => partition))
}

/** Nothing of a use case has expired that is younger than the log's memory. Else all up to the first record that is. */
async function findExpired(
  log: RangeLog,
  { createMs }: VerifiedUseCase,
  floors: ReadonlyMap<number, LaneFloor>,
  nowMs: number,
): Promise<ReadonlyMap<number, number>> {
  const sinceMs = nowMs - outcomesKeptMs + clockMs
  if (createMs > sinceMs || floors.size === 0) return new Map()
  const fresh = await log.firstSince([...floors.keys()], sinceMs)
  return new Map([...floors].map(([partition, { floor }]) => [partition, fresh.get(partition) ?? floor]))
}
