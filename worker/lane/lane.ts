import { Outcome, Reason, Trigger } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { type LaneId, laneKey, type ParkedState, type Run } from '../../runtime/lane-keys.ts'
import { classifyError } from '../deliver/classify.ts'
import { earnCredit } from '../deliver/credit.ts'
import type { Flight } from '../deliver/flight.ts'
import { type LaneHeaders, prepareLaneHeaders } from '../deliver/request-headers.ts'
import { responseHeader } from '../deliver/response-header.ts'
import { retryAfterMs } from '../deliver/retry-after.ts'
import type { Route } from '../deliver/route.ts'
import { FINAL, SUCCESS, speaksOfRecord, statusClass, statusReason } from '../deliver/status-class.ts'
import type { RowOwner } from '../record/attempt.ts'
import type { AttemptLog } from '../record/attempt-log.ts'
import { type EncodedLane, encodeLane } from '../record/encode-attempt.ts'
import type { RangeKind, RangeLog } from '../record/range-log.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import type { Chunk } from '../source/partition.ts'
import { Intake } from './intake.ts'
import { hashKey } from './key-order.ts'
import type { KnownEnds } from './known-ends.ts'
import { Load } from './load.ts'
import { packRecord } from './packed-record.ts'
import { newParked, type Parked, type Parking } from './parking.ts'
import { judge } from './verdict.ts'
import { Window } from './window.ts'

/** What a lane needs of its worker. */
export interface LaneParts {
  readonly attempts: AttemptLog<Parked>
  readonly ranges: RangeLog<Parked>
  readonly instance: string
  readonly nextRequestId: () => number
  readonly windowRecords: number
}

/** The lane's share of what is limited, as the control plane and the worker give it. */
export interface LaneLimits {
  parkedMax: number
  parkedBytesMax: number
  creditMax: number
  /** Bytes of fetched values that may wait in memory. */
  bufferBytesMax: number
}

/** What a takeover found. */
export interface LaneStart {
  readonly cursor: number
  readonly parking: Parking
  readonly known: KnownEnds
  /** Of the known ends, those that a checkpoint may repeat before their records are read. */
  readonly unread: readonly Run[]
  readonly credit: number
}

const askedMs = (flight: Flight<Load>, nowMs: number): number | undefined => {
  const header = responseHeader(flight.responseHeaders, 'retry-after')
  return header === undefined ? undefined : retryAfterMs(header, nowMs)
}

const NOTHING = Buffer.alloc(0)
const NO_KEY = -1

/**
 * One lane in the hands of its owner: takes fetched records in, says what may be sent now, and decides what an answer means.
 * It knows nothing of Redis: checkpoints.ts writes it down, takeover.ts starts it.
 *
 *   a record is   | until
 *   in intake     | a request slot is free and the window has room
 *   in window     | answered, and its row is durable (or parked behind its key at once)
 *   parked        | its delivery has ended, and its rows are durable
 */
export class Lane implements RowOwner<Parked> {
  readonly id: LaneId
  readonly key: string
  readonly epoch: number
  readonly intake = new Intake()
  readonly window: Window
  readonly parking: Parking
  readonly headers: LaneHeaders
  readonly limits: LaneLimits
  route: Route
  credit: number
  endOffset = -1
  /** Nothing new is sent. */
  stopped = false
  /** Requests on the way. */
  inFlight = 0
  /** Rows that are not durable yet. */
  rowsOut = 0
  /** Parked entries whose bytes are there: may go now. */
  readonly loaded: Parked[] = []
  readonly unread: readonly Run[]
  readonly #known: KnownEnds
  /** Records below may have ended or been parked before this owner came. */
  readonly #knownBelow: number
  readonly #parts: LaneParts
  #encoded: EncodedLane
  readonly #unsent = new Load()
  #lastParkedWhileFull: Parked | undefined
  #freshInFlight = 0

  constructor(id: LaneId, epoch: number, route: Route, limits: LaneLimits, start: LaneStart, parts: LaneParts) {
    this.id = id
    this.key = laneKey(id)
    this.epoch = epoch
    this.route = route
    this.limits = limits
    this.parking = start.parking
    this.credit = start.credit
    this.headers = prepareLaneHeaders(id, epoch)
    this.window = new Window(start.cursor, parts.windowRecords, route.plan.ordering === 'KEY')
    this.#known = start.known
    this.unread = start.unread
    this.#knownBelow = [...start.parking.entries()].reduce((below, entry) => Math.max(below, entry.offset + 1), start.known.below)
    this.#parts = parts
    this.#encoded = this.#encode(route)
  }

  /** From now on records are sent by this revision, also those that wait. */
  reroute(route: Route): void {
    this.route = route
    this.#encoded = this.#encode(route)
  }

  #encode({ plan }: Route): EncodedLane {
    const { uid, namespace, id, revision, cluster, topic, method, url } = plan
    const { successRetentionS, failureRetentionS, logBody, requestBodyBytesMax } = plan
    return encodeLane({
      ...{ uid, namespace, useCase: id, revision, cluster, topic, partition: this.id.partition, epoch: this.epoch },
      ...{ worker: this.#parts.instance, method, url },
      ...{ successRetentionS, failureRetentionS, logBody, requestBodyBytesMax },
    })
  }

  /** Deliveries that are out of retries and wait for a success to pay for giving up. */
  get exhausted(): number {
    let count = 0
    for (const entry of this.parking.entries()) if (entry.state === 'X' && !entry.ended) count++
    return count
  }

  get parkedFull(): boolean {
    return this.parking.size >= this.limits.parkedMax
  }

  feed(chunks: readonly Chunk[], endOffset: number): void {
    this.intake.push(chunks)
    this.endOffset = endOffset
  }

  /** Loads the next fresh record that may be sent; false when there is none now. */
  takeFresh(load: Load): boolean {
    if (this.stopped) return false
    // Full: one record at a time, and the next only when what it left behind has ended.
    if (this.parkedFull && (this.#freshInFlight > 0 || this.#lastParkedWhileFull?.ended === false)) return false
    let slot = this.window.takeReady()
    while (slot < 0) {
      if (!this.#admit()) return false
      slot = this.window.takeReady()
    }
    const record = this.window.recordOf(slot)
    this.#freshInFlight++
    this.#fill(load, slot, undefined, record, 0, 1, Trigger.INITIAL, '')
    return true
  }

  /** Loads the next parked record that is due and whose bytes are there. */
  takeRetry(load: Load, recordOf: (entry: Parked) => KafkaRecord): boolean {
    if (this.stopped) return false
    const entry = this.loaded.shift()
    if (entry === undefined) return false
    const trigger =
      entry.batch !== undefined && entry.attempts === 0
        ? Trigger.RETRY_BATCH
        : entry.attempts === 0
          ? Trigger.INITIAL
          : Trigger.RETRY
    this.#fill(load, -1, entry, recordOf(entry), entry.round, entry.attempts + 1, trigger, entry.batch ?? '')
    return true
  }

  #fill(
    load: Load,
    slot: number,
    entry: Parked | undefined,
    record: KafkaRecord,
    round: number,
    attempt: number,
    trigger: number,
    batch: string,
  ): void {
    this.inFlight++
    load.lane = this
    load.slot = slot
    load.entry = entry
    load.record = record
    const { row } = load
    row.offset = Number(record.offset)
    row.round = round
    row.attempt = attempt
    row.trigger = trigger
    row.retryBatch = batch
    row.requestId = this.#parts.nextRequestId()
    row.recordMs = Number(record.timestamp)
    row.key = record.key
    row.keyHash = slot < 0 ? (entry?.keyHash ?? 0) : (this.window.order?.hashOf(slot) ?? 0)
    load.address(this.route, this, round, attempt)
  }

  /** Decodes what was loaded; false when it cannot be: then the delivery has ended FAILED and the load is free. */
  decode(load: Load, nowMs: number): boolean {
    const { row } = load
    try {
      load.body = this.route.decode(load.record!.value ?? NOTHING)
      row.requestBody = load.body
      return true
    } catch (error) {
      row.attempt = 0
      row.requestHeaders = []
      row.sentMs = nowMs
      row.latencyUs = 0
      row.status = 0
      row.outcome = Outcome.FAILED
      row.reason = Reason.DECODE_FAILED
      row.error = error instanceof Error ? error.message : String(error)
      this.#settle(load, undefined, 0, nowMs)
      return false
    }
  }

  /** The flight has landed: decides what its answer means, gives the row to the log, and ends or parks the delivery. */
  landed(flight: Flight<Load>, nowMs: number): void {
    const load = flight.load
    const { row } = load
    const { plan } = this.route
    row.status = flight.status
    row.latencyUs = Math.round((flight.endedAt - flight.sentAt) * 1000)
    row.sentMs = Math.round(performance.timeOrigin + flight.sentAt)
    row.responseHeaders = flight.responseHeaders
    row.responseBody = flight.responseBody
    row.responseBytes = flight.responseBytes
    const kind = statusClass(plan.statusClasses, flight.status)
    if (flight.status !== 0 && kind === SUCCESS) {
      this.credit = earnCredit(this.credit, this.limits.creditMax)
      row.outcome = Outcome.DELIVERED
      row.reason = Reason.UNSPECIFIED
      this.#settle(load, undefined, 0, nowMs)
      return
    }
    let reason: number = statusReason(kind)
    if (flight.cut !== undefined) {
      reason = flight.cut === 'TIMEOUT' ? Reason.TIMEOUT : Reason.ABORTED
      row.error =
        flight.cut === 'TIMEOUT' ? `no whole answer within ${plan.requestTimeoutMs} ms` : 'aborted by Ferry: the lane is moved'
    } else if (flight.status === 0) {
      const found = classifyError(flight.error)
      reason = found.reason
      row.error = found.text
    }
    const aborted = reason === Reason.ABORTED
    const unpaid = load.entry?.unpaid ?? 0
    const verdict = judge(
      plan,
      aborted ? 'ABORTED' : flight.status !== 0 && kind === FINAL ? 'FINAL' : 'RETRYABLE',
      reason,
      speaksOfRecord(plan.statusClasses, flight.status),
      {
        attempts: row.attempt - unpaid,
        firstMs: load.entry?.firstMs || row.sentMs,
        nowMs,
        retryAfterMs: askedMs(flight, nowMs),
        random: Math.random(),
      },
      this.credit,
    )
    this.credit = verdict.credit
    row.outcome = verdict.outcome
    row.reason = verdict.reason
    this.#settle(load, verdict.state, verdict.dueMs, nowMs)
  }

  /** A parked delivery ends without another request. */
  endUnsent(entry: Parked, outcome: Outcome, reason: Reason, trigger: Trigger, nowMs: number): void {
    const load = this.#unsent
    const { row } = load
    Object.assign(row, {
      offset: entry.offset,
      round: entry.round,
      attempt: 0,
      trigger,
      retryBatch: entry.batch ?? '',
      requestId: 0,
    })
    Object.assign(row, {
      outcome,
      reason,
      status: 0,
      sentMs: nowMs,
      latencyUs: 0,
      recordMs: 0,
      keyHash: entry.keyHash ?? 0,
      requestHeaders: [],
    })
    this.parking.end(entry, nowMs)
    this.rowsOut++
    entry.unacknowledged++
    this.#parts.attempts.add(this.#encoded, row, this, -1, entry)
    load.release()
  }

  /** Writes the row, then ends the delivery (no state) or parks it. */
  #settle(load: Load, state: ParkedState | undefined, dueMs: number, nowMs: number): void {
    const { row, slot } = load
    let { entry } = load
    const record = load.record!
    this.inFlight--
    if (slot >= 0) this.#freshInFlight--
    if (row.outcome === Outcome.FAILED) row.packed = entry?.packed ?? packRecord(record)
    if (entry !== undefined) this.#again(entry, load, state, dueMs, nowMs)
    else if (state !== undefined) entry = this.#park(slot, record, row.offset, state, dueMs, load)
    this.rowsOut++
    if (entry !== undefined) entry.unacknowledged++
    this.#parts.attempts.add(this.#encoded, row, this, slot, entry)
    if (slot >= 0) this.#leave(slot)
    load.release()
  }

  /** A parked delivery was tried again. */
  #again(entry: Parked, load: Load, state: ParkedState | undefined, dueMs: number, nowMs: number): void {
    const { row } = load
    entry.attempts = Math.max(entry.attempts, row.attempt)
    if (row.reason === Reason.ABORTED) entry.unpaid++
    if (entry.firstMs === 0) entry.firstMs = row.sentMs
    entry.lastMs = row.sentMs
    entry.sending = false
    if (state === undefined) this.parking.end(entry, nowMs)
    else {
      if (entry.stored && entry.where === 'R') entry.packed = undefined
      this.parking.change(entry, state, dueMs)
    }
  }

  /** A fresh delivery waits from now on. */
  #park(slot: number, record: KafkaRecord, offset: number, state: ParkedState, dueMs: number, load: Load | undefined): Parked {
    const packed = packRecord(record)
    const fits = this.parking.redisBytes + packed.length <= this.limits.parkedBytesMax
    const sentMs = load === undefined ? 0 : load.row.sentMs
    const keyHash = this.window.order?.hashOf(slot)
    const entry = newParked({
      ...{ offset, state, slot, firstMs: sentMs, lastMs: sentMs, dueMs, round: 0, bytes: packed.length },
      keyHash: keyHash === undefined || keyHash === 0 ? undefined : keyHash,
      attempts: load === undefined ? 0 : 1,
      unpaid: load?.row.reason === Reason.ABORTED ? 1 : 0,
      where: fits ? 'R' : 'K',
      packed: fits ? packed : undefined,
    })
    if (this.parkedFull) this.#lastParkedWhileFull = entry
    this.parking.add(entry)
    return entry
  }

  /** The slot's record is answered: the next of its chain may go, or is parked behind an earlier one of its key. */
  #leave(slot: number): void {
    this.window.forget(slot)
    const { order, tracker } = this.window
    if (order === undefined) return
    let follower = order.leave(slot)
    while (follower >= 0 && this.parking.hasKey(order.hashOf(follower))) {
      this.#park(follower, this.window.recordOf(follower), tracker.offsetOf(follower), 'B', 0, undefined)
      this.window.forget(follower)
      tracker.park(follower)
      follower = order.leave(follower)
    }
    if (follower >= 0) this.window.makeReady(follower)
  }

  /** Takes the next fetched record into the window; false when there is none, or no room. */
  #admit(): boolean {
    const { intake, window } = this
    if (window.tracker.full || (window.heldBytes > this.limits.bufferBytesMax && this.inFlight > 0)) return false
    const { hole } = intake
    if (hole !== undefined) {
      intake.takeHole()
      this.#range(hole.kind, hole.first, hole.last)
      return true
    }
    const { record } = intake
    if (record === undefined) return false
    const offset = Number(record.offset)
    const keyHash = window.order !== undefined && record.key !== null ? hashKey(record.key) : NO_KEY
    if (offset < this.#knownBelow) {
      const waiting = this.parking.get(offset)
      if (waiting !== undefined && !waiting.ended) return this.#pass(offset, keyHash, true)
      if (this.#known.ended(offset, keyHash)) return this.#pass(offset, keyHash, false)
    }
    if (keyHash !== NO_KEY && this.parking.hasKey(keyHash)) return this.#admitBehind(record, offset, keyHash)
    intake.shift()
    if (record.value === null) this.#range('TOMBSTONE', offset, offset)
    else window.admit(record, offset, keyHash)
    return true
  }

  /** The record is known already: parked, or ended before this owner came. */
  #pass(offset: number, keyHash: number, parked: boolean): boolean {
    this.intake.shift()
    if (parked && keyHash !== NO_KEY) this.#known.reopen(keyHash)
    const slot = this.window.admitSilent(offset)
    if (parked) this.window.tracker.park(slot)
    else this.window.tracker.end(slot)
    return true
  }

  #admitBehind(record: KafkaRecord, offset: number, keyHash: number): boolean {
    if (this.parkedFull) return false
    this.intake.shift()
    const slot = this.window.admitSilent(offset)
    this.window.order!.remember(slot, keyHash)
    this.#park(slot, record, offset, 'B', 0, undefined)
    this.window.tracker.park(slot)
    return true
  }

  #range(kind: RangeKind, first: number, last: number): void {
    const slot = this.window.admitSilent(last)
    this.rowsOut++
    this.#parts.ranges.add(this.id, this.key, this.epoch, kind, { first, last }, this, slot)
  }

  /** A row is durable: what has ended is settled, what waits is parked. */
  acknowledged(slot: number, entry: Parked | undefined): void {
    this.rowsOut--
    const { tracker } = this.window
    if (entry === undefined) {
      if (slot >= 0) tracker.end(slot)
      return
    }
    if (--entry.unacknowledged > 0) return
    if (entry.ended) this.parking.remove(entry)
    if (entry.slot < 0 || !tracker.holds(entry.slot, entry.offset)) return
    if (entry.ended) tracker.end(entry.slot)
    else tracker.park(entry.slot)
  }
}
