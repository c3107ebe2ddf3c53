import { writeRuns } from '../../runtime/lane-keys.ts'
import type { Parked } from '../../worker/lane/parked.ts'
import type { OwnerLane } from './owner-lane.ts'

/**
 * Everything that decides what the lane will do from here on: two lanes with the same one do the same, whatever came before.
 * owners.test.ts looks whether that is so. In place of numbers of changes it says whether the checkpoint on its way has seen the last.
 */
export function fingerprint(owner: OwnerLane): string {
  const { lane, checkpointer, flights, rowsOut, pending } = owner
  const { tracker } = lane.window
  const { next } = tracker
  const window = [tracker.cursor, next, writeRuns(tracker.endedRuns()), lane.intake.records, lane.stopped ? 1 : 0, lane.credit]
  const sent = flights.map(({ row, slot, entry }) => [row.offset, row.round, row.attempt, slot >= 0, entry !== undefined].join())
  const out = rowsOut.map(({ offset, slot, entry }) => `${offset}${slot >= 0 ? 's' : ''}${entry === undefined ? '' : 'e'}`)
  const written = pending && [
    pending.checkpoint.cursor,
    pending.checkpoint.ended,
    pending.checkpoint.clean,
    pending.whole,
    pending.included
      .map(({ entry, generation }) =>
        [entry.offset, entry.generation === generation, lane.parking.get(entry.offset) === entry].join(),
      )
      .sort(),
    [...pending.checkpoint.removed].sort((a, b) => a - b),
  ]
  return JSON.stringify([
    ...window,
    sent.sort(),
    out,
    entriesOf(owner),
    [...lane.parking.removals].sort((a, b) => a - b),
    lane.loaded.map(({ offset }) => offset),
    lane.known.below > next ? writeRuns(lane.known.unread(next)) : '',
    written ?? 0,
    checkpointer.taken,
    checkpointer.isBehind,
    owner.ready,
    owner.waitingOrder,
    owner.saved,
    backlogOf(owner),
  ])
}

/** Times of rows that are not durable, while they are not all the same. */
const backlogOf = ({ lane: { backlog } }: OwnerLane): string =>
  [
    backlog.sinceMs,
    ...backlog.marks.filter(({ atMs }) => atMs > backlog.sinceMs).map((mark) => `${mark.atMs}:${backlog.openAt(mark)}`),
  ].join()

/** What waits. */
function entriesOf({ lane }: OwnerLane): string[] {
  const entries = [...lane.parking.entries()].sort((a, b) => a.offset - b.offset)
  return entries.map((entry) => {
    const {
      offset,
      state,
      attempts,
      unpaid,
      round,
      batch,
      stale,
      slot,
      unacknowledged,
      settled,
      stored,
      shadows,
      sending,
      ended,
    } = entry
    const flags = [stale, slot >= 0, settled, stored, shadows, sending, ended, lane.parking.dirty.has(entry)].map(Number).join('')
    const due = mayBeDue(entry) ? entry.dueMs : -1
    return [offset, state, attempts, unpaid, round, batch ?? '', unacknowledged, flags, due].join()
  })
}

const mayBeDue = ({ ended, state }: Parked): boolean => !ended && state !== 'B'
