import { Outcome, Reason, Trigger } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { Lane } from './lane.ts'
import type { Parked } from './parked.ts'

/** Entries of a lane that may be loaded, or a whole batch of them, waiting for a request slot; their bytes are bounded by the lane's share of memory. */
const LOADED_MAX = 256
/** Of a retry batch's item it is not known how many there are. */
const UNKNOWN_BYTES = 64 * 1024
const LATER_MS = 200

/** Moves what is due and has its bytes to `loaded`; answers what has not. What may not go yet is due again a little later. */
export function takeDue(lane: Lane, nowMs: number): Parked[] {
  const { parking, loaded, limits } = lane
  const absent: Parked[] = []
  let bytes = loaded.reduce((sum, entry) => sum + sizeOf(entry), 0)
  const loadedMax = Math.max(LOADED_MAX, lane.route.plan.batch?.recordsMax ?? 0)
  while (loaded.length + absent.length < loadedMax && bytes < limits.bufferBytesMax) {
    const entry = parking.takeDue(nowMs)
    if (entry === undefined) break
    if (isEarly(lane, entry)) parking.defer(entry, nowMs + LATER_MS)
    else if (entry.stale) lane.endUnsent(entry, Outcome.SUPERSEDED, Reason.NEWER_DELIVERED, Trigger.RETRY_BATCH, nowMs)
    else {
      const group = [entry, ...followersOf(lane, entry)]
      for (const each of group) bytes += sizeOf(each)
      // All together, so that they stay in their order.
      if (group.every(({ packed }) => packed !== undefined)) loaded.push(...group)
      else absent.push(...group)
    }
  }
  return absent
}

/** In PARTITION order only the first is ever due: a batch takes those behind it along. */
function followersOf(lane: Lane, entry: Parked): Parked[] {
  const { batch, ordering } = lane.route.plan
  if (batch === undefined || ordering !== 'PARTITION') return []
  return lane.parking.takeFollowers(entry, batch.recordsMax - 1, (each) => !each.stale && !isEarly(lane, each))
}

function isEarly({ window }: Lane, { offset, round, stored, keyHash }: Parked): boolean {
  const { order, tracker } = window
  // The number of a round must be known to Redis before it is used.
  if (round > 0 && !stored) return true
  if (order === undefined || keyHash === undefined) return false
  // A fresh record of the key is on its way; or earlier ones may still have to be read, and go first.
  return order.isGoing(keyHash) || (round === 0 && offset >= tracker.next)
}

const sizeOf = ({ bytes }: Parked): number => (bytes === 0 ? UNKNOWN_BYTES : bytes)
