import { StalePolicy } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import type { LaneId } from '../../runtime/lane-keys.ts'
import type { Redis } from '../../runtime/redis.ts'
import type { Lead } from '../attempts/leader-loop.ts'
import type { LogReader } from '../attempts/log-reader.ts'
import { laneOf, type Subject } from '../attempts/subject.ts'
import { asOfMs, type BatchRecord, batchIdOf } from './batch.ts'
import { enqueue, type HandedItem, type HandoverResult } from './enqueue.ts'
import type { Pace } from './pace.ts'
import { lastSelected, pendingPage } from './pending.ts'
import type { LaneProgress, Marks } from './progress.ts'
import type { Selection } from './selection.ts'

export interface HandOverLimits {
  /** Items of one question to the log and one script. */
  readonly pageSize: number
  /** Pages that one lane is handed before the next one has its turn. */
  readonly pagesPerTurn: number
  /** Offsets that a lane's inbox may hold. */
  readonly inboxMax: number
}

/** What handing over needs of the others. */
export interface HandOverSources {
  readonly log: LogReader
  readonly redis: Redis
  readonly lead: Lead
  /** Tells the lane's worker with its next heartbeat that its inbox has something. */
  readonly markInbox: (lane: LaneId) => void
}

export function selectionOf(record: BatchRecord, subject: Subject): Selection {
  const { batch, budgets, missing } = record
  return { subject, filter: batch.filter, asOfMs: asOfMs(record), batch: batchIdOf(record), budgets, missing }
}

/** Whether items whose key has a newer delivered version are to end SUPERSEDED. */
export const skipsStale = ({ batch }: BatchRecord, subject: Subject): boolean =>
  subject.keyOrder && batch.stalePolicy !== StalePolicy.SEND

/**
 * One turn of a batch's lap: each lane in order, from its mark on. Whoever dies in it leaves marks, and the next one goes on from
 * them. Answers how many items were handed over.
 */
export async function handOver(
  sources: HandOverSources,
  limits: HandOverLimits,
  record: BatchRecord,
  subject: Subject,
  lanes: readonly LaneProgress[],
  marks: Marks,
  pace?: Pace,
): Promise<number> {
  const quotas = pace?.share(lanes)
  let handed = 0
  for (const lane of lanes) {
    const quota = quotas ? (quotas.get(lane.partition) ?? 0) : Number.POSITIVE_INFINITY
    if (lane.waiting > 0 && quota > 0)
      handed += await handOverLane(
        sources,
        limits,
        { record, subject, lane, quota, pace },
        marks.get(lane.partition)?.offset ?? -1,
      )
  }
  return handed
}

interface LaneTurn {
  readonly record: BatchRecord
  readonly subject: Subject
  readonly lane: LaneProgress
  /** Items at most. */
  readonly quota: number
  readonly pace: Pace | undefined
}

async function handOverLane(sources: HandOverSources, limits: HandOverLimits, turn: LaneTurn, mark: number): Promise<number> {
  const { record, subject, lane, quota, pace } = turn
  const { partition } = lane
  const selection = selectionOf(record, subject)
  const upTo = await lastSelected(sources.log, selection, partition)
  let handed = 0
  let above: number | undefined = mark
  for (let pages = 0; above !== undefined && pages < limits.pagesPerTurn && handed < quota && sources.lead(); ) {
    const part = { partition, above, upTo }
    const size = Math.min(limits.pageSize, quota - handed)
    const { items, next } = await pendingPage(sources.log, selection, part, size, skipsStale(record, subject))
    above = next
    if (items.length === 0) continue
    pages++
    const timed = pace ? items.map((item) => ({ ...item, dueMs: pace.next() })) : items
    const result = await enqueuePage(sources, limits, record, subject, lane, timed)
    if (result.kind !== 'HANDED') break
    handed += result.handed
    if (result.inboxFull) break
  }
  return handed
}

/** Hands one page to its lane, and has its worker look. */
export async function enqueuePage(
  { redis, markInbox }: HandOverSources,
  { inboxMax }: HandOverLimits,
  record: BatchRecord,
  subject: Subject,
  { partition, selected, pending }: Pick<LaneProgress, 'partition' | 'selected' | 'pending'>,
  items: readonly HandedItem[],
): Promise<HandoverResult> {
  const lane = laneOf(subject, partition)
  const { budgets, lap, freshLap, batch } = record
  const handedMax = budgets ? (budgets[partition] ?? 0) : undefined
  const handedBefore = freshLap === lap ? selected - pending : undefined
  const newKey = batch.newIdempotencyKey
  const handover = { batch: batchIdOf(record), lap, items: newKey ? items.map((item) => ({ ...item, newKey })) : items }
  const result = await enqueue(redis, lane, { ...handover, inboxMax, handedMax, handedBefore })
  if (result.kind === 'HANDED' && result.added > 0) markInbox(lane)
  return result
}
