import type { ClickHouseClient } from '../../runtime/clickhouse.ts'
import { fetchGroupOffsets } from '../../runtime/group-offsets.ts'
import type { Cluster } from '../../runtime/kafka.ts'
import { type LaneId, type ParkedEntry, type Run, readGroupMetadata } from '../../runtime/lane-keys.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Plan } from '../deliver/plan.ts'
import type { SpoolView } from '../spool/spool-view.ts'
import type { StoredLane } from './lane-state.ts'
import { type LogKnowledge, type LookUpRange, lookUp } from './look-up.ts'

/** What is asked, and how long. */
export interface TakeoverParts {
  readonly clickhouse: ClickHouseClient
  readonly cluster: Cluster
  readonly log: Logger
  readonly lookUpTimeoutMs: number
  /** How long a takeover waits for a log that does not answer; then it goes on and may repeat. */
  readonly lookUpPatienceMs: number
  readonly spool: Pick<SpoolView, 'waitDrained'>
  /** It went on without all that the log will have. */
  readonly onUnlogged: () => void
}

/** Neither Redis nor Kafka knows where the lane is: an operator must say. */
export class NeedsDecisionError extends Error {}

/** Where the last owner was, as far as it was written down. */
export interface TakeoverBase {
  readonly cursor: number
  readonly ended: readonly Run[]
  readonly parked: ReadonlyMap<number, ParkedEntry>
  readonly savedMs: number
  /** Epoch of the last accepted checkpoint. */
  readonly writer: number
  readonly credit: number | undefined
  /** Nothing was on the way: the log need not be asked. */
  readonly clean: boolean
}

/** Rows that were buffered for so long before the last checkpoint are still found. */
const SINCE_MARGIN_MS = 300_000

/** From the state in Redis; where that is lost, from Kafka's metadata. releasedVersion as START names it, 0: unknown. */
export async function findBase(
  id: LaneId,
  group: string,
  stored: StoredLane,
  releasedVersion: number,
  parts: TakeoverParts,
): Promise<TakeoverBase> {
  return baseOfStored(stored, releasedVersion) ?? fromGroup(id, group, parts)
}

/** What Redis tells; undefined when it has lost the lane. Clean is only the state that START names: an older one may be back. */
export function baseOfStored(stored: StoredLane, releasedVersion: number): TakeoverBase | undefined {
  const { cursor, ended, parked, savedMs, writer, credit } = stored
  if (cursor === undefined) return undefined
  return { cursor, ended, parked, savedMs, writer, credit, clean: stored.clean && stored.version === releasedVersion }
}

/** Redis has lost the lane: Kafka's metadata says the cursor and what had not ended below it. */
async function fromGroup(id: LaneId, group: string, parts: TakeoverParts): Promise<TakeoverBase> {
  const [committed] = await fetchGroupOffsets(parts.cluster, group, id.topic, [id.partition])
  if (committed === undefined) {
    throw new NeedsDecisionError(
      `neither Redis nor the Kafka group ${group} knows where ${id.topic}/${id.partition} was: commit the offset to go on from to the group`,
    )
  }
  parts.log.warn(
    { topic: id.topic, partition: id.partition, floor: committed.offset },
    'lane: Redis has lost its state; it goes on from the Kafka group and the log',
  )
  return baseOfGroup(committed.offset, committed.metadata)
}

/** What a group commit tells: what lies between the floor and its metadata's cursor, and is not named as open, has ended. */
export function baseOfGroup(floor: number, text: string): TakeoverBase {
  const metadata = readGroupMetadata(text) ?? { cursor: floor, open: [] }
  const ended: Run[] = []
  let at = floor
  for (const run of metadata.open) {
    if (run.first > at) ended.push({ first: at, last: run.first - 1 })
    at = Math.max(at, run.last + 1)
  }
  if (metadata.cursor > at) ended.push({ first: at, last: metadata.cursor - 1 })
  return { cursor: floor, ended, parked: new Map(), savedMs: 0, writer: 0, credit: undefined, clean: false }
}

/** Which rows of the log are asked for. */
export const lookUpRange = (id: LaneId, ordering: Plan['ordering'], base: TakeoverBase): LookUpRange => ({
  id,
  fromOffset: base.cursor,
  parked: [...base.parked.keys()],
  sinceMs: Math.max(0, base.savedMs - SINCE_MARGIN_MS),
  // What older epochs ended is in the checkpoint already; rows of theirs that came later are repeats.
  fromEpoch: ordering === 'UNORDERED' ? 0 : base.writer,
})

/**
 * What the log ended since; undefined when it need not be asked, or does not answer. What an earlier owner's rows in the spool say
 * is part of it as far as they are drained in time.
 */
export async function askLog(
  id: LaneId,
  ordering: Plan['ordering'],
  base: TakeoverBase,
  parts: TakeoverParts,
): Promise<LogKnowledge | undefined> {
  if (base.clean) return undefined
  const range = lookUpRange(id, ordering, base)
  const deadline = performance.now() + parts.lookUpPatienceMs
  const isWhole = await parts.spool.waitDrained(deadline)
  for (;;) {
    try {
      const knowledge = await lookUp(parts.clickhouse, range, parts.lookUpTimeoutMs)
      if (!isWhole) goOn(id, parts, 'the spool is not drained')
      return knowledge
    } catch (error) {
      if (performance.now() >= deadline) {
        goOn(id, parts, `the log does not answer: ${String(error)}`)
        return undefined
      }
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

function goOn(id: LaneId, { log, onUnlogged }: TakeoverParts, why: string): void {
  log.warn({ ...id, why }, 'lane: the takeover goes on without all that the log will have, and may repeat records')
  onUnlogged()
}
