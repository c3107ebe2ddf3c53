import { type Run, writeGroupMetadata } from '../../runtime/lane-keys.ts'
import type { Lane } from './lane.ts'

type Positioned = Pick<Lane, 'parking' | 'window'>

/** Every record below has an outcome in the log: the lower of the cursor and the lowest parked offset of round 0. */
export function floorOf({ parking, window }: Positioned): number {
  let floor = window.tracker.cursor
  for (const entry of parking.entries()) if (entry.round === 0 && entry.offset < floor) floor = entry.offset
  return floor
}

/** What a group commit says of a lane. */
export interface GroupPosition {
  readonly floor: number
  readonly metadata: string
}

/**
 * The floor, and what has not ended between it and the cursor, as far as bytesMax go: where they end, the cursor is told lower
 * than it is, and what lies above it counts as not ended.
 */
export function groupPosition(lane: Positioned, bytesMax: number): GroupPosition {
  const { cursor } = lane.window.tracker
  const open = openRuns(lane, cursor)
  let room = bytesMax - `1;${cursor};`.length
  const told = open.findIndex(({ first, last }) => {
    room -= `${first}-${last},`.length
    return room < 0
  })
  const metadata = told < 0 ? { cursor, open } : { cursor: open[told]!.first, open: open.slice(0, told) }
  return { floor: open[0]?.first ?? cursor, metadata: writeGroupMetadata(metadata, bytesMax) ?? '' }
}

/** Parked offsets of round 0 below the cursor: also those whose last rows are not durable yet. */
function openRuns(lane: Positioned, cursor: number): Run[] {
  const offsets = new Float64Array(lane.parking.size)
  let count = 0
  for (const entry of lane.parking.entries()) if (entry.round === 0 && entry.offset < cursor) offsets[count++] = entry.offset
  const open: Run[] = []
  for (const offset of offsets.subarray(0, count).sort()) {
    const last = open.at(-1)
    if (last !== undefined && last.last + 1 === offset) open[open.length - 1] = { first: last.first, last: offset }
    else open.push({ first: offset, last: offset })
  }
  return open
}
