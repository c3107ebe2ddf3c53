import type { Subject } from '../attempts/subject.ts'
import { type BatchRecord, batchIdOf } from './batch.ts'
import { enqueuePage, type HandOverLimits, type HandOverSources, selectionOf, skipsStale } from './hand-over.ts'
import { findAbsent } from './lane-traces.ts'
import { pendingPage } from './pending.ts'
import type { LaneProgress } from './progress.ts'

// The first lap hands over what the log shows while it passes. Two things escape it: a row that failed before the batch was made and
// reached the log after its offset was passed (a worker's buffer, the spool, a clock), and an item that its lane has lost (a flushed
// Redis). Nobody would ever end them, and the batch with them. So when nothing has moved for a while, a sweep goes through all items
// that have not ended, and hands over those that are nowhere. It is a lap of its own: its mark stops whoever is late, as in the first.

export interface Swept {
  /** On their way: in an inbox or parked. */
  readonly present: number
  readonly handed: number
  /** Could not be handed over now: no lane, or a full inbox. */
  readonly blocked: boolean
  /** In a batch with a pace some are nowhere: a lap that goes by it hands them over. */
  readonly lost: boolean
}

/** Goes through the lanes once. The record's lap must be a new one, and stored. */
export async function sweep(
  sources: HandOverSources,
  limits: HandOverLimits,
  record: BatchRecord,
  subject: Subject,
  lanes: readonly LaneProgress[],
): Promise<Swept> {
  const total = { present: 0, handed: 0, blocked: false, lost: false }
  for (const lane of lanes) {
    if (lane.pending === 0) continue
    const { present, handed, blocked, lost } = await sweepLane(sources, limits, record, subject, lane)
    total.present += present
    total.handed += handed
    total.blocked ||= blocked
    total.lost ||= lost
  }
  return total
}

async function sweepLane(
  sources: HandOverSources,
  limits: HandOverLimits,
  record: BatchRecord,
  subject: Subject,
  lane: LaneProgress,
): Promise<Swept> {
  const { log, redis, lead } = sources
  const { partition } = lane
  const selection = selectionOf(record, subject)
  const swept = { present: 0, handed: 0, blocked: false, lost: false }
  // Moves the mark into this lap before anything is looked at: what an earlier leader has looked at and not handed over is late now.
  const begun = await enqueuePage(sources, limits, record, subject, lane, [])
  if (begun.kind !== 'HANDED') return { ...swept, blocked: true }
  for (let above: number | undefined = -1; above !== undefined; ) {
    if (!lead()) return { ...swept, blocked: true }
    const part: { partition: number; above: number } = { partition, above }
    const page = await pendingPage(log, selection, part, limits.pageSize, false)
    const absent = new Set(
      (await findAbsent(redis, subject, partition, batchIdOf(record), page.items)).map(({ offset }) => offset),
    )
    swept.present += page.items.length - absent.size
    // What Redis did not hold is lost only if the log, asked after that, has no end of it either.
    const again = absent.size > 0 ? await pendingPage(log, selection, part, limits.pageSize, skipsStale(record, subject)) : page
    const lost = again.items.filter(({ offset }) => absent.has(offset))
    if (lost.length > 0 && record.batch.recordsPerSecond !== undefined) return { ...swept, lost: true }
    if (lost.length > 0) {
      const result = await enqueuePage(sources, limits, record, subject, lane, lost)
      if (result.kind !== 'HANDED' || result.inboxFull) return { ...swept, blocked: true }
      swept.handed += result.handed
    }
    above = page.next
  }
  return swept
}
