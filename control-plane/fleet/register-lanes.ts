import { type LaneId, laneKey, writeGroupMetadata } from '../../runtime/lane-keys.ts'
import type { LaneLog } from './lane-log.ts'
import type { LaneStore } from './lane-store.ts'
import { type StartRule, startOffset } from './start-offsets.ts'
import type { TopicSource } from './topic-source.ts'
import type { ViewedUseCase } from './use-case-view.ts'

export interface RegisterParts {
  readonly source: TopicSource
  readonly store: LaneStore
  readonly laneLog: LaneLog
  readonly wallMs: () => number
  /** Throws when this replica no longer leads. */
  readonly mustLead: () => void
}

/** Lanes that are written at once. */
const lanesAtOnce = 8
const metadataBytesMax = 4000

/** Where new lanes begin, and of which partitions nobody says it now. */
export interface ResolvedStarts {
  readonly starts: ReadonlyMap<number, number>
  /** By partition, why. */
  readonly unanswered: ReadonlyMap<number, string>
}

/**
 * Partitions that are found when the use case is already known began later than it and are taken from their beginning. One whose
 * leader is away keeps no other back: it is found later, and begins at its beginning all the same. But where new lanes are to begin
 * elsewhere all are resolved together, so that an interruption cannot make some of them look as if found later. Throws FleetError
 * when then one does not answer.
 */
export async function resolveStarts(
  useCase: ViewedUseCase,
  partitions: readonly number[],
  isKnown: boolean,
  source: TopicSource,
): Promise<ResolvedStarts> {
  const rule: StartRule = isKnown ? { kind: 'EARLIEST' } : useCase.start
  const { cluster, topic } = useCase
  const starts = new Map<number, number>()
  if (rule.kind === 'EARLIEST') {
    const { offsets, unanswered } = await source.knownStartOffsets(cluster, topic)
    for (const partition of partitions) if (offsets.has(partition)) starts.set(partition, offsets.get(partition)!)
    return { starts, unanswered: new Map([...unanswered].filter(([partition]) => partitions.includes(partition))) }
  }
  const [startOffsets, endOffsets] = await Promise.all([source.startOffsets(cluster, topic), source.endOffsets(cluster, topic)])
  // Asked for after the end: a record of that time that is appended in between is found, and not taken for one before the end.
  const atTime = rule.kind === 'TIME' ? await source.offsetsAt(cluster, topic, rule.timeMs) : new Map<number, number>()
  for (const partition of partitions) starts.set(partition, startOffset(rule, partition, { startOffsets, endOffsets }, atTime))
  return { starts, unanswered: new Map() }
}

/**
 * Writes down where lanes begin, before they can be given to anybody. Every step may be done again; the order is what makes an
 * interruption harmless:
 *
 * | step | what | interrupted after it |
 * |---|---|---|
 * | 1 | Kafka group offsets, all in one request | the group's offset is the start; steps 2 and 3 follow |
 * | 2 | BEFORE_START range in the log | the same |
 * | 3 | first state in Redis | done |
 */
export async function registerLanes(
  useCase: ViewedUseCase,
  starts: ReadonlyMap<number, number>,
  uncommitted: readonly number[],
  lanes: readonly LaneId[],
  { source, store, laneLog, wallMs, mustLead }: RegisterParts,
): Promise<void> {
  mustLead()
  if (uncommitted.length > 0) {
    const offsets = uncommitted.map((partition) => {
      const start = starts.get(partition)!
      return { partition, offset: start, metadata: writeGroupMetadata({ cursor: start, open: [] }, metadataBytesMax) ?? '' }
    })
    await source.commit(useCase.cluster, useCase.group, useCase.topic, offsets)
  }
  const write = async (lane: LaneId): Promise<void> => {
    const start = starts.get(lane.partition)
    if (start === undefined) throw new Error(`lane ${laneKey(lane)} has no start`)
    mustLead()
    await laneLog.writeBeforeStart(lane, start, wallMs())
    mustLead()
    await store.writeFirstState(lane, start, wallMs())
  }
  for (let at = 0; at < lanes.length; at += lanesAtOnce) await Promise.all(lanes.slice(at, at + lanesAtOnce).map(write))
}
