import type { Plan } from '../deliver/plan.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import { Intake } from './intake.ts'
import { hashKey, PARTITION_KEY } from './key-order.ts'
import type { KnownEnds } from './known-ends.ts'
import type { LaneLimits } from './lane-limits.ts'
import type { Parked } from './parked.ts'
import type { Settling } from './settling.ts'

const NO_KEY = -1

// How the next fetched record comes into the window.
//
//   the record is                              | then
//   a hole                                     | its range goes to the log
//   parked since before this owner             | counts as parked; as ended when the log knows its end and nothing earlier of its key is open
//   known to have ended                        | counts as ended, unless something earlier of its key is sent again
//   without a value                            | a TOMBSTONE range, unless tombstones are delivered
//   left out by the filter                     | a FILTERED range
//   of a key that waits                        | parked behind it; not while as many wait as may, unless it would be the first of its key
//   PARTITION: behind one that has not ended   | left in the intake until that has ended, or sent together with it
//   anything else                              | to be sent

/** A filter may leave out as many records as fit into this time; then others are let go first. */
const TURN_MS = 5

export type LeavesOut = (record: KafkaRecord) => boolean

const keyHashes: Record<Plan['ordering'], (key: Buffer | null) => number> = {
  UNORDERED: () => NO_KEY,
  KEY: (key) => (key === null ? NO_KEY : hashKey(key)),
  PARTITION: () => PARTITION_KEY,
}

/** Brings fetched records into the window, one at a time and in the order of offsets. */
export class Admission {
  readonly intake = new Intake()
  /** By the revision that the lane works by. */
  deliversTombstones = false
  /** Whether the use case's filter leaves a record out; undefined without a filter. */
  leavesOut: LeavesOut | undefined
  /** Whether records are taken in as far as there is room, before one of them is sent. */
  looksAhead = false
  /** takeReady has stopped, because it was the turn of others. */
  hasMore = false
  readonly #settling: Settling
  readonly #known: KnownEnds
  readonly #limits: LaneLimits
  readonly #keyHashOf: (key: Buffer | null) => number
  readonly #isPartition: boolean
  /** Offsets at or above were not parked when this owner came. */
  readonly #parkedBelow: number

  constructor(settling: Settling, known: KnownEnds, limits: LaneLimits, ordering: Plan['ordering']) {
    this.#settling = settling
    this.#known = known
    this.#limits = limits
    this.#keyHashOf = keyHashes[ordering]
    this.#isPartition = ordering === 'PARTITION'
    let below = 0
    for (const { offset } of settling.parking.entries()) below = Math.max(below, offset + 1)
    this.#parkedBelow = below
  }

  /** The slot of the next record that may be sent, taken in if need be; -1 when there is none now. joins: it will share the request of the one before. */
  takeReady(isIdle: boolean, joins: boolean): number {
    const { window } = this.#settling
    this.hasMore = false
    if (this.looksAhead) this.#lookAhead(isIdle)
    let slot = window.takeReady()
    const startedAt = slot < 0 && this.leavesOut !== undefined ? performance.now() : 0
    while (slot < 0) {
      if (!this.#next(isIdle, joins)) return -1
      slot = window.takeReady()
      this.hasMore = slot < 0 && startedAt > 0 && performance.now() - startedAt > TURN_MS
      if (this.hasMore) return -1
    }
    return slot
  }

  #lookAhead(isIdle: boolean): void {
    const until = performance.now() + TURN_MS
    while (this.#next(isIdle, false) && performance.now() < until);
  }

  /**
   * Takes the next record in; false when there is none, or no room. There is always room for records of a fetch that is held already:
   * they take no more memory. With nothing on its way there is also room for those of another.
   */
  #next(isIdle: boolean, joins: boolean): boolean {
    const { intake } = this
    const { window } = this.#settling
    if (window.tracker.full) return false
    const { hole } = intake
    if (hole !== undefined) {
      intake.takeHole()
      this.#settling.skip(hole.kind, hole.first, hole.last)
      return true
    }
    const { record } = intake
    if (record === undefined) return false
    if (!isIdle && window.heldBytes > this.#limits.bufferBytesMax && intake.fetched.held === 0) return false
    const offset = Number(record.offset)
    const keyHash = this.#keyHashOf(record.key)
    if ((offset < this.#known.below || offset < this.#parkedBelow) && this.#pass(record, offset, keyHash)) return true
    if (record.value === null && !this.deliversTombstones) {
      intake.shift()
      this.#settling.skip('TOMBSTONE', offset, offset)
      return true
    }
    if (this.#isPartition && this.#waits(offset, joins)) return false
    if (this.leavesOut?.(record)) return this.#leaveOut(offset)
    if (keyHash !== NO_KEY && this.#settling.parking.hasKey(keyHash)) return this.#behind(record, offset, keyHash)
    const { fetched } = intake
    intake.shift()
    if (joins && this.#isPartition) window.admitBeside(record, fetched, offset, keyHash)
    else window.admit(record, fetched, offset, keyHash)
    return true
  }

  /** PARTITION: an earlier record is on its way or parked. Nothing is gained by reading on: the next one stays where it takes no more memory. */
  #waits(offset: number, joins: boolean): boolean {
    const { window, parking } = this.#settling
    return (!joins && window.order!.isGoing(PARTITION_KEY)) || !parking.wouldBeFirst(PARTITION_KEY, offset)
  }

  /** Answers whether the record is known already: parked, or ended before it was read. */
  #pass(record: KafkaRecord, offset: number, keyHash: number): boolean {
    const { window, parking } = this.#settling
    const waiting = parking.get(offset)
    // Before it counts as something of its key that is sent again: of neither anything is sent.
    if (waiting === undefined && !this.#known.knows(offset)) {
      if (record.value === null && !this.deliversTombstones) return false
      if (this.leavesOut?.(record)) return this.#leaveOut(offset)
    }
    // Opened again by a retry batch: its first life has ended.
    const hasEnded = waiting !== undefined && waiting.round > 0 ? false : this.#known.ended(offset, keyHash)
    if (waiting === undefined && !hasEnded) return false
    this.intake.shift()
    const slot = window.admitSilent(offset)
    if (keyHash !== NO_KEY) window.order!.remember(slot, keyHash)
    if (waiting === undefined) window.tracker.end(slot)
    else this.#passParked(waiting, slot, hasEnded)
    return true
  }

  #leaveOut(offset: number): true {
    this.intake.shift()
    this.#settling.skip('FILTERED', offset, offset)
    return true
  }

  #passParked(waiting: Parked, slot: number, hasEnded: boolean): void {
    const { window, parking } = this.#settling
    if (hasEnded) {
      parking.end(waiting, waiting.dueMs)
      parking.remove(waiting)
      window.tracker.end(slot)
      return
    }
    // Ended by this owner, and its row is not durable yet: acknowledged() settles the slot.
    waiting.slot = slot
    if (!waiting.ended) window.tracker.park(slot)
  }

  #behind(record: KafkaRecord, offset: number, keyHash: number): boolean {
    const { window, parking, parkedFull } = this.#settling
    if (parkedFull && !parking.wouldBeFirst(keyHash, offset)) return false
    this.intake.shift()
    const slot = window.admitSilent(offset)
    window.order!.remember(slot, keyHash)
    this.#settling.parkBehind(slot, record, offset)
    return true
  }
}
