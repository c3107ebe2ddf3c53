import type { ParkedEntry } from '../../runtime/lane-keys.ts'
import { startCredit } from '../deliver/credit.ts'
import type { Plan } from '../deliver/plan.ts'
import { KnownEnds } from './known-ends.ts'
import type { LaneStart } from './lane.ts'
import type { LogKnowledge } from './look-up.ts'
import { newParked, type Parked } from './parked.ts'
import { Parking } from './parking.ts'
import type { TakeoverBase } from './takeover.ts'

// What a new owner holds for ended. A row of the log ends
//
//   an offset at or above the cursor | UNORDERED, or without a key: at once; KEY: when it is read, unless something earlier of its key is open
//   a parked offset below the cursor | when the row's round is the delivery's or higher; KEY: and no earlier parked one of its key is open
//   a parked offset at or above it   | as both say
//
// An end that is not counted is sent again: after a crash its key's last word at the endpoint must be the newest. So an end is not
// counted either when an earlier record of its key was ended by a newer epoch: that one was sent again, after it. (The epoch of the
// last checkpoint says so, too, unless Redis has lost it.)

/** Puts together what was written down and what the log knows. */
export function startLane(
  base: TakeoverBase,
  knowledge: LogKnowledge | undefined,
  ordering: Plan['ordering'],
  creditMax: number,
  nowMs: number,
): LaneStart {
  const { cursor } = base
  const parking = new Parking()
  const decidedWhenRead = new Set<number>()
  // By key hash: the newest epoch that sent a parked one of it so far; Infinity when one is open.
  const newest = new Map<number, number>()
  for (const [offset, stored] of [...base.parked].sort(([a], [b]) => a - b)) {
    const entry = toParked(offset, stored, knowledge)
    parking.add(entry)
    const { keyHash, round } = stored
    const end = knowledge?.ended.get(offset)
    const hasEnded = end !== undefined && end.round >= round
    if (hasEnded && keyHash !== undefined && round === 0 && offset >= cursor) decidedWhenRead.add(offset)
    else if (hasEnded && (keyHash === undefined || end.epoch >= (newest.get(keyHash) ?? 0))) {
      parking.end(entry, nowMs)
      parking.remove(entry)
      if (keyHash !== undefined) newest.set(keyHash, Math.max(newest.get(keyHash) ?? 0, end.sentEpoch))
    } else if (keyHash !== undefined && round === 0) newest.set(keyHash, Number.POSITIVE_INFINITY)
  }
  const found = new Map(
    [...(knowledge?.ended ?? [])].filter(
      ([offset]) => offset >= cursor && (parking.get(offset) === undefined || decidedWhenRead.has(offset)),
    ),
  )
  const known = new KnownEnds(base.ended, found, ordering !== 'UNORDERED')
  for (const { offset, keyHash, round } of parking.entries())
    if (keyHash !== undefined && round === 0 && offset < cursor) known.reopen(keyHash)
  return { cursor, parking, known, credit: startCredit(base.credit, creditMax) }
}

function toParked(offset: number, stored: ParkedEntry, knowledge: LogKnowledge | undefined): Parked {
  const logged = knowledge?.attempts.get(offset)
  return newParked({
    ...stored,
    offset,
    stored: true,
    settled: true,
    // Its request died with its owner, or will; its number is used.
    state: stored.state === 'S' ? 'P' : stored.state,
    attempts: Math.max(stored.attempts, logged?.round === stored.round ? logged.attempt : 0),
  })
}
