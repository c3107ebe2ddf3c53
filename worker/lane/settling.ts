import { Outcome, Reason, type Trigger } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { LaneId, ParkedState } from '../../runtime/lane-keys.ts'
import { costsNoRetry } from '../deliver/costs-no-retry.ts'
import type { Attempt, RowOwner } from '../record/attempt.ts'
import type { AttemptLog } from '../record/attempt-log.ts'
import type { EncodedLane } from '../record/encode-attempt.ts'
import type { RangeKind, RangeLog } from '../record/range-log.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import { PARTITION_KEY } from './key-order.ts'
import type { KnownEnds } from './known-ends.ts'
import type { LaneLimits } from './lane-limits.ts'
import { Load } from './load.ts'
import { packRecord } from './packed-record.ts'
import { type LastEnd, newParked, type Parked } from './parked.ts'
import type { Parking } from './parking.ts'
import { RowBacklog } from './row-backlog.ts'
import type { Window } from './window.ts'

// What becomes of a lane's records after the verdict.
//
//   a record                              | its slot of the window is          | the cursor passes it when
//   has ended                             | open until its row is durable      | its row is durable
//   is parked after a failed attempt      | open until its row is durable      | its row is durable; a checkpoint says both
//   is parked behind its key, or on its   | parked at once                     | at once; a checkpoint says both
//   way for too long
//   is a hole or has no value             | open until its range is durable    | its range is durable

const NOTHING = Buffer.alloc(0)

export interface SettlingParts {
  readonly attempts: Pick<AttemptLog<Parked>, 'add'>
  readonly ranges: Pick<RangeLog<Parked>, 'add'>
}

/** An end without a request of its own. */
export interface UnsentEnd {
  readonly outcome: Outcome
  readonly reason: number
  readonly trigger: Trigger
  /** For whoever reads the log. */
  readonly error: string
}

const lastEndOf = ({ reason, status, error }: Attempt): LastEnd => ({ reason, status, error })

export interface LaneIdentity {
  readonly id: LaneId
  readonly key: string
  readonly epoch: number
}

/** Of a record that is too large to be sent, no more bytes are kept in the log; Kafka has them as long as it keeps them. */
const TOO_LARGE_KEPT_MAX = 4 << 20

const keptPayload = (reason: number, packed: Buffer): Buffer =>
  reason === Reason.BODY_TOO_LARGE && packed.length > TOO_LARGE_KEPT_MAX ? NOTHING : packed

/** PARTITION_KEY is no key's. */
const loggedHash = ({ keyHash }: Parked): number => (keyHash === undefined || keyHash === PARTITION_KEY ? 0 : keyHash)

/** Gives the log its rows, ends deliveries or parks them, and hears which rows are durable. */
export class Settling implements RowOwner<Parked> {
  readonly window: Window
  readonly parking: Parking
  /** Rows that are not durable yet. */
  rowsOut = 0
  /** Of attempts: those that a takeover would ask the log for. */
  readonly backlog = new RowBacklog()
  readonly #known: KnownEnds
  readonly #limits: LaneLimits
  readonly #identity: LaneIdentity
  readonly #parts: SettlingParts
  readonly #unsent = new Load()
  readonly #skipped: RowOwner<Parked> = { acknowledged: (slot) => this.#skippedDurably(slot) }
  /** By the revision that the lane works by: ends what waits while a newer version of it is there. */
  supersede: ((entry: Parked) => void) | undefined
  #parkedWhileFull: Parked | undefined

  constructor(
    window: Window,
    parking: Parking,
    known: KnownEnds,
    limits: LaneLimits,
    identity: LaneIdentity,
    parts: SettlingParts,
  ) {
    this.window = window
    this.parking = parking
    this.#known = known
    this.#limits = limits
    this.#identity = identity
    this.#parts = parts
  }

  get parkedFull(): boolean {
    return this.parking.size >= this.#limits.parkedMax
  }

  /** As many wait as may, and the last record that was sent nevertheless is one of them. */
  get blocked(): boolean {
    return this.parkedFull && this.#parkedWhileFull?.ended === false
  }

  /** A request's row goes to the log, and its delivery ends (no state) or waits. */
  settle(load: Load, state: ParkedState | undefined, dueMs: number, nowMs: number): void {
    const { row, slot } = load
    const record = load.record!
    let { entry } = load
    if (row.outcome === Outcome.FAILED) row.packed = keptPayload(row.reason, entry?.packed ?? packRecord(record))
    if (entry !== undefined) this.#again(entry, load, state, dueMs, nowMs)
    else if (state !== undefined) entry = this.#park(slot, record, row.offset, state, dueMs, load)
    this.#add(load, load.encoded!, slot, entry)
    if (slot >= 0) this.#leave(slot)
    load.span?.end(row)
    load.release()
  }

  #add(load: Load, encoded: EncodedLane, slot: number, entry: Parked | undefined): void {
    this.rowsOut++
    this.backlog.add()
    if (entry !== undefined) entry.unacknowledged++
    this.#parts.attempts.add(encoded, load.row, this, slot, entry)
  }

  /** A parked delivery was tried again. */
  #again(entry: Parked, load: Load, state: ParkedState | undefined, dueMs: number, nowMs: number): void {
    const { row } = load
    entry.attempts = Math.max(entry.attempts, row.attempt)
    if (costsNoRetry(row.reason)) entry.unpaid++
    else if (entry.firstMs === 0) entry.firstMs = row.sentMs
    entry.lastMs = row.sentMs
    entry.together = load.together
    if (state === undefined) {
      entry.sending = false
      this.parking.end(entry, nowMs)
      return
    }
    // Its bytes are in Redis or in Kafka, and may be needed in an hour.
    if (entry.stored || entry.where === 'K') entry.packed = undefined
    if (state === 'D') entry.why = lastEndOf(row)
    this.parking.change(entry, state, dueMs)
  }

  /** A parked delivery cannot be tried now: it waits as before. Its bytes are in Redis or in Kafka, if they are not only here. */
  putBack(entry: Parked, dueMs: number): void {
    if (entry.stored || entry.where === 'K') entry.packed = undefined
    this.parking.defer(entry, dueMs)
  }

  /** A fresh delivery waits from now on. */
  #park(slot: number, record: KafkaRecord, offset: number, state: ParkedState, dueMs: number, load: Load | undefined): Parked {
    const packed = packRecord(record)
    const fits = this.parking.redisBytes + packed.length <= this.#limits.parkedBytesMax
    const sentMs = load === undefined ? 0 : load.row.sentMs
    const isUnpaid = load !== undefined && costsNoRetry(load.row.reason)
    const entry = newParked({
      ...{ offset, state, slot, lastMs: sentMs, dueMs, round: 0, bytes: packed.length },
      keyHash: this.window.order?.hashOf(slot) || undefined,
      attempts: load === undefined ? 0 : state === 'S' ? 1 : load.row.attempt,
      together: load === undefined ? 0 : load.together,
      // Time begins to run with the first attempt that counts.
      firstMs: isUnpaid || state === 'S' ? 0 : sentMs,
      unpaid: isUnpaid ? 1 : 0,
      // Behind its key nothing was sent, so no row is awaited; on its way it must be passed before there is one.
      settled: state === 'B' || state === 'S',
      sending: state === 'S',
      where: fits ? 'R' : 'K',
      packed: fits || state === 'S' ? packed : undefined,
    })
    if (this.parkedFull) this.#parkedWhileFull = entry
    if (load !== undefined && state === 'D') entry.why = lastEndOf(load.row)
    this.parking.add(entry)
    return entry
  }

  /** The slot is answered or parked: the next of its chain may go, or is parked behind an earlier one of its key. */
  #leave(slot: number): void {
    this.window.forget(slot)
    const { order } = this.window
    if (order === undefined) return
    let follower = order.leave(slot)
    while (follower >= 0 && this.parking.hasKey(order.hashOf(follower))) {
      const offset = this.window.tracker.offsetOf(follower)
      this.parkBehind(follower, this.window.recordOf(follower), offset)
      this.window.forget(follower)
      follower = order.leave(follower)
    }
    if (follower >= 0) this.window.makeReady(follower)
  }

  /** Something of the record's key waits: so does the record. */
  parkBehind(slot: number, record: KafkaRecord, offset: number): void {
    if (this.supersede !== undefined) this.#supersedeBefore(this.window.order!.hashOf(slot), offset, this.supersede)
    this.#park(slot, record, offset, 'B', 0, undefined)
    this.window.tracker.park(slot)
  }

  #supersedeBefore(keyHash: number, offset: number, supersede: (entry: Parked) => void): void {
    for (const entry of this.parking.waitingOf(keyHash)) if (entry.offset < offset) supersede(entry)
  }

  /** A request takes so long that it holds up the window: its record is parked as SENDING, so that the cursor passes it. */
  parkSending(load: Load): void {
    const { slot, row } = load
    load.entry = this.#park(slot, load.record!, row.offset, 'S', 0, load)
    load.slot = -1
    this.window.tracker.park(slot)
    this.#leave(slot)
  }

  /** A parked delivery ends without another request. */
  endUnsent(entry: Parked, encoded: EncodedLane, end: UnsentEnd, nowMs: number): void {
    const load = this.#unsent
    const { row } = load
    Object.assign(row, { offset: entry.offset, round: entry.round, attempt: 0, retryBatch: entry.batch ?? '', requestId: 0 })
    Object.assign(row, { ...end, status: 0, sentMs: nowMs, latencyUs: 0, recordMs: 0, keyHash: loggedHash(entry) })
    if (end.outcome === Outcome.FAILED && entry.packed !== undefined) row.packed = entry.packed
    entry.sending = false
    this.parking.end(entry, nowMs)
    this.#add(load, encoded, -1, entry)
    load.release()
  }

  /** Offsets without anything to send. */
  skip(kind: RangeKind, first: number, last: number): void {
    const slot = this.window.admitSilent(last)
    const { id, key, epoch } = this.#identity
    this.rowsOut++
    this.#parts.ranges.add(id, key, epoch, kind, { first, last }, this.#skipped, slot)
  }

  #skippedDurably(slot: number): void {
    this.rowsOut--
    this.window.tracker.end(slot)
  }

  /** An attempt's row is durable: what has ended is settled, what waits is parked. */
  acknowledged(slot: number, entry: Parked | undefined): void {
    this.rowsOut--
    this.backlog.remove()
    const { tracker } = this.window
    if (entry === undefined) {
      if (slot >= 0) tracker.end(slot)
      return
    }
    if (--entry.unacknowledged > 0) return
    const inWindow = entry.slot >= 0 && tracker.holds(entry.slot, entry.offset)
    if (entry.ended) {
      this.parking.remove(entry)
      if (inWindow) tracker.end(entry.slot)
      else if (entry.offset >= tracker.next) this.#known.add(entry.offset)
    } else {
      this.parking.settle(entry)
      if (inWindow) tracker.park(entry.slot)
    }
  }
}
