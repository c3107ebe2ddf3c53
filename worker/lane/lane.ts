import { SchemaPending } from '../../convert/decode/registry/schema-source.ts'
import type { RecordSource } from '../../convert/source-record.ts'
import { Outcome, Reason, Trigger } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { type LaneId, laneKey, splitUid } from '../../runtime/lane-keys.ts'
import { earnCredit } from '../deliver/credit.ts'
import { type LaneHeaders, prepareLaneHeaders } from '../deliver/request-headers.ts'
import type { Route } from '../deliver/route.ts'
import type { EncodedLane } from '../record/encode-attempt.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import type { Chunk } from '../source/partition.ts'
import type { AttemptTracing } from '../trace/attempt-tracing.ts'
import { Admission } from './admission.ts'
import { askedOf, isOfRecord, type Landed, type Meaning, readAnswer, unsuccessful } from './answer.ts'
import { encodeRoute } from './encode-route.ts'
import type { Intake } from './intake.ts'
import { hashKey, PARTITION_KEY } from './key-order.ts'
import type { KnownEnds } from './known-ends.ts'
import type { LaneLimits } from './lane-limits.ts'
import type { Load } from './load.ts'
import { carryBody, endUnsent, makeBody } from './make-body.ts'
import type { LastEnd, Parked } from './parked.ts'
import type { Parking } from './parking.ts'
import { rescheduleAll } from './reschedule.ts'
import type { RowBacklog } from './row-backlog.ts'
import { SchemaWaits } from './schema-waits.ts'
import { Settling, type SettlingParts } from './settling.ts'
import { givenUpState, judge, type Unsuccessful } from './verdict.ts'
import { Window } from './window.ts'

/** What a lane needs of its worker. */
export interface LaneParts extends SettlingParts {
  readonly instance: string
  readonly nextRequestId: () => number
  readonly windowRecords: number
  /** There may be something to send, which a schema was missing for. */
  readonly wake?: () => void
  /** Undefined while nothing is traced. */
  readonly tracing?: AttemptTracing | undefined
}

/** What a takeover found. */
export interface LaneStart {
  readonly cursor: number
  readonly parking: Parking
  readonly known: KnownEnds
  readonly credit: number
}

/**
 * One lane in the hands of its owner: takes fetched records in (admission.ts), says what may be sent now, and decides what an
 * answer means (answer.ts, verdict.ts; settling.ts does it). It knows nothing of Redis: checkpointer.ts writes it down,
 * takeover.ts starts it.
 *
 *   a record is   | until
 *   in intake     | a request slot is free and the window has room
 *   in window     | answered, and its row is durable (or parked behind its key at once)
 *   parked        | its delivery has ended, and its rows are durable
 */
export class Lane {
  readonly id: LaneId
  readonly key: string
  /** What makes a delivery's first attempt happen. */
  readonly firstTrigger: Trigger
  readonly epoch: number
  readonly window: Window
  readonly parking: Parking
  readonly known: KnownEnds
  readonly headers: LaneHeaders
  readonly limits: LaneLimits
  readonly schemaWaits: SchemaWaits
  readonly tracing: AttemptTracing | undefined
  /** decode has found that a record waits for its schema. */
  hasWaited = false
  route: Route
  credit: number
  endOffset = -1
  /** Orders of operators that were there when the lane began are carried out: what waits may be sent. */
  ordersSeen = false
  /** Why the dead-letter topic does not take what is given up. */
  lettersTrouble: string | undefined
  /** Nothing new is sent. */
  stopped = false
  /** Deliveries on the way. */
  inFlight = 0
  /** When records began to wait for a batch to fill, by performance.now(); 0: none does. */
  fillingSince = 0
  /** Parked entries whose bytes are there: may go now. */
  readonly loaded: Parked[] = []
  readonly #admission: Admission
  readonly #settling: Settling
  readonly #parts: LaneParts
  readonly #isPartition: boolean
  readonly #source: RecordSource
  #encoded: EncodedLane
  #freshInFlight = 0

  constructor(id: LaneId, epoch: number, route: Route, limits: LaneLimits, start: LaneStart, parts: LaneParts) {
    this.id = id
    this.key = laneKey(id)
    this.firstTrigger = splitUid(id.uid).replay === '' ? Trigger.INITIAL : Trigger.REPLAY
    this.epoch = epoch
    this.route = route
    this.limits = limits
    this.parking = start.parking
    this.known = start.known
    this.credit = start.credit
    this.headers = prepareLaneHeaders(id, epoch)
    this.tracing = parts.tracing
    const { ordering } = route.plan
    this.#isPartition = ordering === 'PARTITION'
    this.window = new Window(start.cursor, parts.windowRecords, ordering !== 'UNORDERED')
    this.#settling = new Settling(this.window, this.parking, this.known, limits, this, parts)
    this.#admission = new Admission(this.#settling, this.known, limits, ordering)
    this.schemaWaits = new SchemaWaits(this.window, this.#settling, () => parts.wake?.())
    this.#parts = parts
    this.#source = { topic: id.topic, partition: id.partition }
    this.#encoded = encodeRoute(route.plan, this, this.#parts.instance)
    this.#screen(route)
  }

  /** From now on records are sent by this revision, also those that wait. */
  reroute(route: Route): void {
    this.unload()
    const { policyId } = this
    this.route = route
    if (policyId !== this.policyId) this.reschedule(Date.now())
    this.#encoded = encodeRoute(route.plan, this, this.#parts.instance)
    this.#screen(route)
  }

  /** Which retry policy holds. */
  get policyId(): string {
    return this.route.plan.policyId
  }

  /** What waits was planned by another retry policy. */
  reschedule(nowMs: number): void {
    rescheduleAll(this.parking, this.route.plan, nowMs)
  }

  #screen({ conversion, plan }: Route): void {
    const source = this.#source
    this.#admission.deliversTombstones = plan.deliversTombstones
    this.#admission.looksAhead = plan.latestVersionWins
    this.#settling.supersede = plan.latestVersionWins ? (entry) => this.#supersede(entry) : undefined
    this.#admission.leavesOut = conversion?.filters ? (record) => conversion.leavesOut(record, source) : undefined
  }

  get intake(): Intake {
    return this.#admission.intake
  }

  /** takeFresh has stopped, because it was the turn of others; there may be more to send. */
  get hasMore(): boolean {
    return this.#admission.hasMore
  }

  /** Rows that are not durable yet. */
  get rowsOut(): number {
    return this.#settling.rowsOut
  }

  get backlog(): RowBacklog {
    return this.#settling.backlog
  }

  get parkedFull(): boolean {
    return this.#settling.parkedFull
  }

  /** Bytes of fetches that are in memory for this lane. */
  get bufferedBytes(): number {
    return this.intake.bytes + this.window.heldBytes
  }

  /** When the oldest record in memory that is neither answered nor parked was appended, Unix ms. */
  get oldestMs(): number | undefined {
    const oldest = this.window.oldest ?? this.intake.record
    return oldest === undefined ? undefined : Number(oldest.timestamp)
  }

  feed(chunks: readonly Chunk[], endOffset: number): void {
    this.intake.push(chunks)
    this.endOffset = endOffset
  }

  /** Loads the next fresh record that may be sent; false when there is none now. joins: into the request of the one before. */
  takeFresh(load: Load, joins = false): boolean {
    // As many wait as may: one record at a time, and the next only when what it left behind has ended.
    if (this.stopped || (this.parkedFull && (this.#freshInFlight + this.schemaWaits.size > 0 || this.#settling.blocked)))
      return false
    const slot = this.#admission.takeReady(this.inFlight + this.schemaWaits.size === 0, joins)
    if (slot < 0) return false
    this.#freshInFlight++
    this.#fill(load, slot, undefined, this.window.recordOf(slot))
    return true
  }

  /** Loads the next parked record that is due and whose bytes are there. */
  takeRetry(load: Load, recordOf: (entry: Parked) => KafkaRecord): boolean {
    const entry = this.stopped ? undefined : this.loaded.shift()
    if (entry === undefined) return false
    entry.sending = true
    this.#fill(load, -1, entry, recordOf(entry))
    return true
  }

  #fill(load: Load, slot: number, entry: Parked | undefined, record: KafkaRecord): void {
    this.inFlight++
    load.take(this, slot, entry, record, this.#encoded)
    load.row.requestId = this.#parts.nextRequestId()
    load.row.keyHash = this.#loggedHash(record, slot, entry)
    load.address(this.route, this)
  }

  /** The log tells keys apart, whatever the order. */
  #loggedHash({ key }: KafkaRecord, slot: number, entry: Parked | undefined): number {
    if (this.#isPartition) return key === null ? 0 : hashKey(key)
    return entry === undefined ? (this.window.order?.hashOf(slot) ?? 0) : (entry.keyHash ?? 0)
  }

  /** What a delivery waits by: of one hash the later ones wait for the earlier. Undefined: for nothing. */
  orderOf(keyHash: number): number | undefined {
    if (this.#isPartition) return PARTITION_KEY
    return this.window.order === undefined || keyHash === 0 ? undefined : keyHash
  }

  #supersede(entry: Parked): void {
    this.endUnsent(entry, Outcome.SUPERSEDED, Reason.NEWER_VERSION, Trigger.UNSPECIFIED, Date.now())
  }

  /** Whether a newer version of what was loaded waits, and this one need not be sent. */
  #isOutdated({ slot, entry }: Load): boolean {
    return entry === undefined ? this.window.order!.hasLater(slot) : this.parking.hasLater(entry)
  }

  /** Parked records that are ready to go wait again until they are loaded once more: those behind the first of a partition may go together with it only. */
  unload(): void {
    for (const entry of this.loaded.splice(0)) this.parking.defer(entry, entry.dueMs)
  }

  /** What was loaded does not go now after all: it is the next again. */
  putBack(load: Load): void {
    this.#landed(load)
    if (load.entry !== undefined) this.loaded.unshift(load.entry)
    else if (this.#isPartition) this.window.putBehind(load.slot)
    else this.window.putBack(load.slot)
    load.release()
  }

  /**
   * Makes the body of what was loaded; false when there is none to send now: then the delivery has ended, is blocked or waits for its
   * schema, and the load is free. A promise: it comes later, to carry(). joins: into the request of the one before.
   */
  decode(load: Load, nowMs: number, joins = false): boolean | Promise<Buffer> {
    const { route } = this
    const isOutdated = route.plan.latestVersionWins && this.#isOutdated(load)
    const made = isOutdated
      ? endUnsent(load, Outcome.SUPERSEDED, Reason.NEWER_VERSION, '', nowMs)
      : makeBody(load, route, this.#source, nowMs)
    if (made instanceof SchemaPending) return this.#await(load, made, nowMs, joins)
    return made === false ? this.#endsUnsent(load, nowMs) : made
  }

  /** The body that came later, or why there is none: false when the delivery has ended instead, or is blocked. */
  carry(load: Load, body: Buffer | Error, nowMs: number): boolean {
    return carryBody(load, this.route.plan, body, nowMs) || this.#endsUnsent(load, nowMs)
  }

  #endsUnsent(load: Load, nowMs: number): false {
    this.#landed(load)
    this.#settling.settle(load, load.row.outcome === Outcome.RETRY ? givenUpState(this.route.plan) : undefined, 0, nowMs)
    return false
  }

  /** The record's schema is not here yet: it is decoded again once it may be, and others go on. */
  #await(load: Load, pending: SchemaPending, nowMs: number, joins: boolean): false {
    this.hasWaited = true
    // It would have gone with another, and can go after it.
    if (joins) this.putBack(load)
    else {
      this.#landed(load)
      this.schemaWaits.add(load, pending, nowMs)
    }
    return false
  }

  /** The flight has landed: decides what its answer means, gives the row to the log, and ends or parks the delivery. Of batches: land-batch.ts. */
  landed(flight: Landed<Load>, nowMs: number): void {
    const { load, status, endedAt } = flight
    const { plan } = this.route
    const answer = readAnswer(flight, load.row, plan, nowMs, load.isTokenRefused(status, endedAt))
    const isGood = answer === 'DELIVERED' || answer === 'SKIPPED'
    this.conclude(
      load,
      answer,
      isGood ? undefined : unsuccessful(load, askedOf(flight, plan, nowMs), isOfRecord(load.row, plan)),
      nowMs,
    )
  }

  /** What the answer, which is in the row already, means for a delivery: it ends, or waits. failed: unless it is DELIVERED or SKIPPED. */
  conclude(load: Load, answer: Meaning, failed: Unsuccessful | undefined, nowMs: number): void {
    const { row } = load
    this.#landed(load)
    if (answer === 'DELIVERED' || answer === 'SKIPPED') {
      if (answer === 'DELIVERED') this.credit = earnCredit(this.credit, this.limits.creditMax)
      row.outcome = answer === 'DELIVERED' ? Outcome.DELIVERED : Outcome.SKIPPED
      this.#settling.settle(load, undefined, 0, nowMs)
      return
    }
    if (row.reason === Reason.STATUS_PAUSED) load.pauseUseCase(row.status)
    const verdict = judge(this.route.plan, answer, row.reason, failed!, this.credit)
    this.credit = verdict.credit
    row.outcome = verdict.outcome
    row.reason = verdict.reason
    this.#settling.settle(load, verdict.state, verdict.dueMs, nowMs)
  }

  #landed(load: Load): void {
    this.inFlight--
    if (load.slot >= 0) this.#freshInFlight--
  }

  /** Whether this request holds up what waits in the intake: the window, or memory, is full because of it. */
  isHeldUpBy({ slot }: Load): boolean {
    if (slot < 0 || this.stopped || this.parkedFull || this.intake.records === 0) return false
    const { tracker, heldBytes } = this.window
    return tracker.full ? tracker.tailSlot === slot : heldBytes > this.limits.bufferBytesMax
  }

  /** The request takes too long for that: its record is parked as SENDING, and goes on as a parked one's. sentMs: Unix ms. */
  letPass(load: Load, sentMs: number): void {
    load.row.sentMs = sentMs
    this.#freshInFlight--
    this.#settling.parkSending(load)
  }

  /** A parked delivery ends without another request. error: for whoever reads the log. */
  endUnsent(entry: Parked, outcome: Outcome, reason: number, trigger: Trigger, nowMs: number, error = ''): void {
    this.#settling.endUnsent(entry, this.#encoded, { outcome, reason, trigger, error }, nowMs)
  }

  /** The dead-letter topic has what was given up. */
  endGivenUp(entry: Parked, { reason, error }: LastEnd, nowMs: number): void {
    this.endUnsent(entry, Outcome.FAILED, reason, Trigger.UNSPECIFIED, nowMs, error)
  }
}
