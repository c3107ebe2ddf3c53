import { type GroupMetadata, type Run, writeParked, writeRuns } from '../../runtime/lane-keys.ts'
import type { Lane } from './lane.ts'
import type { Checkpoint } from './lane-state.ts'
import type { Parked } from './parking.ts'

/** Bytes of parked records that one checkpoint may carry, and how many entries and removals. */
const BYTES_MAX = 1 << 20
const ENTRIES_MAX = 2000
const REMOVALS_MAX = 10_000

/** What Redis has of a lane's position. */
export interface SavedPosition {
  readonly cursor: number
  readonly ended: string
}

export interface Draft {
  readonly checkpoint: Checkpoint
  readonly included: readonly { readonly entry: Parked; readonly generation: number }[]
  /** Whether it says all that there is to say. */
  readonly whole: boolean
}

/**
 * What a checkpoint would write now; undefined when Redis knows it all. A checkpoint that is too large for all parked
 * entries keeps the position that is saved: the cursor passes nothing that is neither in the log nor parked in Redis.
 */
export function draftCheckpoint(
  lane: Lane,
  saved: SavedPosition,
  taken: readonly string[],
  clean: boolean,
  nowMs: number,
): Draft | undefined {
  const { parking, window } = lane
  const dirty = [...parking.dirty].sort((a, b) => a.offset - b.offset)
  const included: { entry: Parked; generation: number }[] = []
  let bytes = 0
  for (const entry of dirty) {
    if (included.length >= ENTRIES_MAX || (bytes > 0 && bytes + entry.bytes > BYTES_MAX)) break
    included.push({ entry, generation: entry.generation })
    if (!entry.stored && entry.where === 'R') bytes += entry.bytes
  }
  const removed: number[] = []
  for (const offset of parking.removals()) {
    if (removed.length >= REMOVALS_MAX) break
    removed.push(offset)
  }
  const whole = included.length === dirty.length && removed.length === parking.removalCount
  const cursor = whole ? window.tracker.cursor : saved.cursor
  const ended = whole ? writeRuns(endedRuns(lane)) : saved.ended
  const changed =
    included.length > 0 || removed.length > 0 || taken.length > 0 || cursor !== saved.cursor || ended !== saved.ended
  if (!changed && !clean) return undefined
  return {
    checkpoint: {
      cursor,
      ended,
      savedMs: nowMs,
      clean: clean && whole,
      credit: lane.credit,
      parked: included.map(({ entry }) => ({
        offset: entry.offset,
        // What has ended but is not durable waits for its owner's next word: another owner would ask the log.
        entry: writeParked(entry),
        bytes: !entry.stored && entry.where === 'R' ? entry.packed : undefined,
      })),
      removed,
      // What was taken from the inbox leaves it only together with all that it opened.
      taken: whole ? taken : [],
    },
    included,
    whole,
  }
}

function endedRuns({ window, unread }: Lane): Run[] {
  const { next } = window.tracker
  const later = unread.filter((run) => run.last >= next).map((run) => ({ first: Math.max(run.first, next), last: run.last }))
  return [...window.tracker.endedRuns(window.order?.prefixCounter()), ...later]
}

/** The lane's floor, and what has not ended between it and the cursor: what the group commit says. */
export function groupPosition(lane: Lane): { floor: number; metadata: GroupMetadata } {
  const { cursor } = lane.window.tracker
  const offsets: number[] = []
  for (const entry of lane.parking.entries()) {
    if (entry.round === 0 && entry.offset < cursor && !(entry.ended && entry.unacknowledged === 0)) offsets.push(entry.offset)
  }
  offsets.sort((a, b) => a - b)
  const open: Run[] = []
  for (const offset of offsets) {
    const last = open.at(-1)
    if (last !== undefined && last.last + 1 === offset) open[open.length - 1] = { first: last.first, last: offset }
    else open.push({ first: offset, last: offset })
  }
  return { floor: open[0]?.first ?? cursor, metadata: { cursor, open } }
}
