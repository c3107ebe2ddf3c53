import { writeParked, writeRuns } from '../../runtime/lane-keys.ts'
import type { Lane } from './lane.ts'
import type { Checkpoint } from './lane-state.ts'
import type { Parked } from './parked.ts'

/** What one checkpoint may carry. */
export interface DraftLimits {
  /** Bytes of parked records; a single one may have more. */
  readonly bytesMax: number
  readonly entriesMax: number
  readonly removalsMax: number
}

export const draftLimits: DraftLimits = { bytesMax: 1 << 20, entriesMax: 2000, removalsMax: 10_000 }

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

/** The lane, as far as a checkpoint says it. */
export type Drafted = Pick<Lane, 'parking' | 'window' | 'known' | 'credit' | 'backlog' | 'policyId'>

/**
 * What a checkpoint would write now; undefined when Redis knows it all and nothing forces one. Only what is settled enters it.
 * A checkpoint that is too large for all parked entries keeps the position that is saved: the cursor passes nothing that is
 * neither in the log nor parked in Redis.
 */
export function draftCheckpoint(
  lane: Drafted,
  saved: SavedPosition,
  taken: readonly string[],
  options: { readonly clean: boolean; readonly forced: boolean },
  nowMs: number,
  { bytesMax, entriesMax, removalsMax } = draftLimits,
): Draft | undefined {
  const { parking, window, known } = lane
  const dirty = [...parking.dirty].filter(mayEnter)
  if (dirty.length > entriesMax) dirty.sort((a, b) => a.offset - b.offset)
  const included: { entry: Parked; generation: number }[] = []
  let bytes = 0
  for (const entry of dirty) {
    const size = carriesBytes(entry) ? entry.bytes : 0
    if (included.length >= entriesMax || (bytes > 0 && bytes + size > bytesMax)) break
    included.push({ entry, generation: entry.generation })
    bytes += size
  }
  const removed: number[] = []
  for (const offset of parking.removals) {
    if (removed.length >= removalsMax) break
    removed.push(offset)
  }
  const whole = included.length === dirty.length && removed.length === parking.removals.size
  const { cursor: head, next } = window.tracker
  const cursor = whole ? head : saved.cursor
  const runs = whole ? [...window.tracker.endedRuns(window.order?.prefixCounter()), ...known.unread(next)] : []
  const ended = whole ? writeRuns(runs) : saved.ended
  const changed =
    included.length > 0 || removed.length > 0 || taken.length > 0 || cursor !== saved.cursor || ended !== saved.ended
  if (!changed && !options.forced && !options.clean) return undefined
  return {
    checkpoint: {
      cursor,
      ended,
      savedMs: lane.backlog.ask(nowMs),
      clean: options.clean && whole,
      credit: lane.credit,
      policyId: lane.policyId,
      parked: included.map(({ entry }) => ({
        offset: entry.offset,
        // What has ended but is not durable waits for its owner's next word: another owner would ask the log.
        entry: writeParked(entry),
        bytes: carriesBytes(entry) ? entry.packed : undefined,
      })),
      removed,
      // What was taken from the inbox leaves it only together with all that it opened.
      taken: whole ? taken : [],
    },
    included,
    whole,
  }
}

/** Redis needs no word about what has ended and only waits to be removed. */
const mayEnter = (entry: Parked): boolean => entry.settled && !(entry.ended && entry.stored)

const carriesBytes = (entry: Parked): boolean => !entry.stored && entry.where === 'R'
