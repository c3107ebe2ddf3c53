import type { ClickHouseClient } from '../../runtime/clickhouse.ts'
import { fetchGroupOffsets } from '../../runtime/group-offsets.ts'
import type { Cluster } from '../../runtime/kafka.ts'
import { type LaneId, type ParkedEntry, type Run, readGroupMetadata } from '../../runtime/lane-keys.ts'
import type { Logger } from '../../runtime/log.ts'
import { startCredit } from '../deliver/credit.ts'
import type { Plan } from '../deliver/plan.ts'
import { KnownEnds } from './known-ends.ts'
import type { LaneStart } from './lane.ts'
import type { StoredLane } from './lane-state.ts'
import { type LogKnowledge, lookUp } from './look-up.ts'
import { newParked, Parking } from './parking.ts'

export interface TakeoverParts {
  readonly clickhouse: ClickHouseClient
  readonly cluster: Cluster
  readonly log: Logger
  readonly lookUpTimeoutMs: number
  /** How long a takeover waits for a log that does not answer; then it goes on and may repeat. */
  readonly lookUpPatienceMs: number
}

/** Neither Redis nor Kafka knows where the lane is: an operator must say. */
export class NeedsDecisionError extends Error {}

interface Base {
  readonly cursor: number
  readonly ended: readonly Run[]
  readonly parked: ReadonlyMap<number, ParkedEntry>
  readonly savedMs: number
  readonly writer: number
  readonly credit: number | undefined
  readonly clean: boolean
}

/** Rows that were buffered for so long before the last checkpoint are still found. */
const SINCE_MARGIN_MS = 300_000

/** What a new owner goes on from: the stored state, else Kafka's metadata, and what the log ended since. */
export async function takeOver(
  id: LaneId,
  plan: Plan,
  stored: StoredLane,
  releasedVersion: number,
  creditMax: number,
  parts: TakeoverParts,
): Promise<LaneStart> {
  const base = stored.cursor === undefined ? await fromGroup(id, plan, parts) : toBase(stored, stored.cursor, releasedVersion)
  const knowledge = base.clean ? undefined : await ask(id, plan, base, parts)
  const parking = new Parking()
  for (const [offset, entry] of base.parked) {
    const round = knowledge?.ended.get(offset)
    const parked = newParked({ ...entry, offset, stored: true, state: entry.state === 'S' ? 'P' : entry.state })
    parking.add(parked)
    const attempts = knowledge?.attempts.get(offset)
    if (attempts?.round === entry.round) parked.attempts = Math.max(parked.attempts, attempts.attempt)
    if (round !== undefined && round >= entry.round) {
      parking.end(parked, Date.now())
      parking.remove(parked)
    }
  }
  const ended = [...(knowledge?.ended.keys() ?? [])].filter(
    (offset) => offset >= base.cursor && parking.get(offset) === undefined,
  )
  const known = new KnownEnds(base.ended, ended)
  // In KEY order what the log says counts only as the records are read and their keys are seen.
  const unread = plan.ordering === 'KEY' ? base.ended : known.runs
  return { cursor: base.cursor, parking, known, unread, credit: startCredit(base.credit, creditMax) }
}

function toBase(stored: StoredLane, cursor: number, releasedVersion: number): Base {
  const { ended, parked, savedMs, writer, credit } = stored
  return { cursor, ended, parked, savedMs, writer, credit, clean: stored.clean && stored.version === releasedVersion }
}

/** Redis has lost the lane: Kafka's metadata says the cursor and what had not ended below it. */
async function fromGroup(id: LaneId, plan: Plan, parts: TakeoverParts): Promise<Base> {
  const [committed] = await fetchGroupOffsets(parts.cluster, plan.group, id.topic, [id.partition])
  if (committed === undefined) {
    throw new NeedsDecisionError(
      `neither Redis nor the Kafka group ${plan.group} knows the position of ${id.topic}/${id.partition}`,
    )
  }
  const metadata = readGroupMetadata(committed.metadata)
  const ended: Run[] = []
  let at = committed.offset
  for (const run of metadata?.open ?? []) {
    if (run.first > at) ended.push({ first: at, last: run.first - 1 })
    at = run.last + 1
  }
  if (metadata !== undefined && metadata.cursor > at) ended.push({ first: at, last: metadata.cursor - 1 })
  parts.log.warn(
    { topic: id.topic, partition: id.partition, floor: committed.offset },
    'lane: Redis has lost its state; it goes on from the Kafka group and the log',
  )
  return { cursor: committed.offset, ended, parked: new Map(), savedMs: 0, writer: 0, credit: undefined, clean: false }
}

async function ask(id: LaneId, plan: Plan, base: Base, parts: TakeoverParts): Promise<LogKnowledge | undefined> {
  const range = {
    id,
    fromOffset: base.cursor,
    parkedFrom: base.parked.size === 0 ? undefined : Math.min(...base.parked.keys()),
    sinceMs: Math.max(0, base.savedMs - SINCE_MARGIN_MS),
    fromEpoch: plan.ordering === 'KEY' ? base.writer : 0,
  }
  const deadline = Date.now() + parts.lookUpPatienceMs
  for (;;) {
    try {
      return await lookUp(parts.clickhouse, range, parts.lookUpTimeoutMs)
    } catch (error) {
      if (Date.now() > deadline) {
        parts.log.warn(
          { ...id, error: String(error) },
          'lane: the log does not answer; the takeover goes on without it and may repeat records',
        )
        return undefined
      }
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}
