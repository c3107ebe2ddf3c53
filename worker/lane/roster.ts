import { Trigger } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { AdaptiveLimit } from '../deliver/adaptive-limit.ts'
import { Breaker, defaultBreakerOptions } from '../deliver/breaker.ts'
import { EgressError } from '../deliver/egress-guard.ts'
import { Flight } from '../deliver/flight.ts'
import type { RateLimit } from '../deliver/rate-limit.ts'
import type { Route } from '../deliver/route.ts'
import { failsEndpoint } from '../deliver/status-class.ts'
import { tellLimit } from '../deliver/tell-limit.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import { Batcher } from './batcher.ts'
import type { Keeper } from './keeper.ts'
import { landBatch } from './land-batch.ts'
import { conditionMessage, laneCondition, waitsForRate } from './lane-condition.ts'
import { Load } from './load.ts'
import { unpackRecord } from './packed-record.ts'
import type { Parked } from './parked.ts'
import type { RequestBatch } from './request-batch.ts'

export interface RosterParts {
  /** Whether the log has room for another attempt's row. */
  readonly logIsOpen: () => boolean
  /** Whether rows go into the spool, because ClickHouse is away. */
  readonly logIsSpooling: () => boolean
  /** Whether this worker may send, by its lease: asked before each request, with both clocks, just read. */
  readonly maySend: (now: number, nowMs: number) => boolean
  readonly onLanded: (outcome: number) => void
  /** Something has waited for the rate limit for so long. */
  readonly onRateLimited: (useCase: string, text: string, ms: number, now: number) => void
}

/** A request that takes longer while its lane has no room left is let pass. */
const HANG_MS = 1000
/** Records that end without a request, because nothing can be made of them, are taken one after the other for so long. */
const TURN_MS = 5

const recordOf = (entry: Parked): KafkaRecord => unpackRecord(entry.packed!, entry.offset)

/**
 * One use case on this worker: its lanes here take turns for its request slots. A slot that lands takes the next record at
 * once. Retries take at most half of the slots while fresh records wait; of a single slot, and of a rate, every other turn.
 */
export class Roster {
  route: Route
  readonly keepers: Keeper[] = []
  readonly breaker = new Breaker(defaultBreakerOptions)
  maxInFlight = 1
  /** Says how many of them there may be now; undefined with fixed concurrency. */
  adaptive: AdaptiveLimit | undefined
  /** Undefined without a limit. */
  rate: RateLimit | undefined
  readonly #parts: RosterParts
  #flights: Flight<Load>[] = []
  readonly #idle: Flight<Load>[] = []
  readonly #batcher = new Batcher()
  #retriesInFlight = 0
  #tookRetry = false
  #probeRetry = true
  #goesOn = false
  #turn = 0
  #retryTurn = 0
  #sweptAt = performance.now()

  constructor(route: Route, parts: RosterParts) {
    this.route = route
    this.#parts = parts
  }

  add(keeper: Keeper): void {
    this.keepers.push(keeper)
  }

  remove(keeper: Keeper): void {
    const at = this.keepers.indexOf(keeper)
    if (at >= 0) this.keepers.splice(at, 1)
  }

  /** Requests on the way, the one that is about to start included. */
  get inFlight(): number {
    return this.#flights.length - this.#idle.length
  }

  /** Sends as much as may be sent now. */
  pump(): void {
    // A share that has become smaller: slots that are idle go now, the others when they land.
    while (this.#flights.length > this.maxInFlight && this.#idle.length > 0) this.#dismiss(this.#idle.pop()!)
    for (;;) {
      const flight = this.#idle.pop() ?? this.#open()
      if (flight === undefined || !this.#next(flight, performance.now(), Date.now())) return
    }
  }

  #open(): Flight<Load> | undefined {
    if (this.#flights.length >= this.maxInFlight) return undefined
    const { maySend } = this.#parts
    const landed = (flight: Flight<Load>): void => this.#landed(flight)
    const flight = new Flight<Load>(this.route.target, new Load(), landed, () => maySend(performance.now(), Date.now()))
    this.#flights.push(flight)
    return flight
  }

  #dismiss(flight: Flight<Load>): void {
    flight.close()
    this.#flights = this.#flights.filter((each) => each !== flight)
  }

  /** Gives the slot its next record, or lays it aside; answers whether it flies. Both clocks just read: they decide about the lease. */
  #next(flight: Flight<Load>, now: number, nowMs: number): boolean {
    const { load } = flight
    while (this.#mayStart(now, nowMs) && this.#take(load, now, nowMs)) {
      const made = load.batch !== undefined || load.lane!.decode(load, nowMs)
      if (made === false) {
        if (performance.now() - now < TURN_MS) continue
        this.#goOnSoon()
        break
      }
      if (load.isRetry) this.#retriesInFlight++
      this.#tookRetry = load.isRetry
      load.ticket = this.breaker.started(now)
      if (made === true) {
        flight.send(this.route.target, load.headers, load.body, now)
        this.adaptive?.started(this.inFlight, now)
      } else void this.#sendLater(flight, made, now)
      this.rate?.sent(load.batch?.count ?? 1, load.body.length, now)
      return true
    }
    this.#idle.push(flight)
    return false
  }

  /**
   * The slot is taken while the body is made elsewhere, so that the record keeps its place and no more is asked for at once than
   * may be sent. Whatever ends a request meanwhile ends it, too.
   */
  async #sendLater(flight: Flight<Load>, body: Promise<Buffer>, now: number): Promise<void> {
    const { load } = flight
    const { target } = this.route
    const hold = flight.hold(target, now)
    const made = await body.catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))))
    if (!flight.isHeld(hold)) return
    const [later, laterMs] = [performance.now(), Date.now()]
    const lane = load.lane!
    if (!this.#parts.maySend(later, laterMs)) flight.abort('ABORTED')
    else if (lane.carry(load, made, laterMs)) {
      flight.send(target, load.headers, load.body, later)
      this.adaptive?.started(this.inFlight, later)
      this.rate?.sent(0, load.body.length, later)
    } else this.#endsUnsent(flight, later, laterMs)
  }

  /** Nothing is to be sent of what a slot was taken for. */
  #endsUnsent(flight: Flight<Load>, now: number, nowMs: number): void {
    const { load } = flight
    flight.letGo()
    this.breaker.withdrawn(load.ticket, now)
    if (load.isRetry) this.#retriesInFlight--
    if (this.#flights.length > this.maxInFlight) this.#dismiss(flight)
    else this.#next(flight, now, nowMs)
  }

  /** There is more to do, after what others have to do now. */
  #goOnSoon(): void {
    if (this.#goesOn) return
    this.#goesOn = true
    setImmediate(() => {
      this.#goesOn = false
      this.pump()
    })
  }

  #mayStart(now: number, nowMs: number): boolean {
    const { maySend, logIsOpen } = this.#parts
    if (!maySend(now, nowMs) || !logIsOpen() || !this.route.access.mayStart(now) || !this.breaker.mayStart(now)) return false
    if (this.adaptive !== undefined && this.inFlight > this.adaptive.limit) return false
    // The last to be asked: what it refuses would have been sent.
    return this.rate === undefined || this.rate.mayStart(now)
  }

  #take(load: Load, now: number, nowMs: number): boolean {
    const slots = this.adaptive?.limit ?? this.maxInFlight
    const byTurns = slots === 1 || this.rate !== undefined
    const share = byTurns ? !this.#tookRetry : (this.#retriesInFlight + 1) * 2 <= slots
    // Probes are by turns a fresh record and one that is tried again: either kind may fail for its own sake and hold all others up.
    if (this.breaker.state !== 'CLOSED') this.#probeRetry = !this.#probeRetry
    const retryFirst = this.breaker.state === 'CLOSED' ? share : this.#probeRetry
    return (
      (retryFirst && this.#takeRetry(load, nowMs)) ||
      this.#takeFresh(load, now, nowMs) ||
      (!retryFirst && this.#takeRetry(load, nowMs))
    )
  }

  #takeFresh(load: Load, now: number, nowMs: number): boolean {
    const { keepers } = this
    const { batch } = this.route.plan
    for (let i = 0; i < keepers.length; i++) {
      this.#turn = this.#turn + 1 < keepers.length ? this.#turn + 1 : 0
      const keeper = keepers[this.#turn]!
      if (!keeper.maySend) continue
      const lane = keeper.lane!
      const isTaken = batch === undefined ? lane.takeFresh(load) : this.#batcher.takeFresh(load, lane, batch, now, nowMs)
      if (lane.hasMore || this.#batcher.hasMore) this.#goOnSoon()
      // Also when nothing was to be sent: records without a request leave the intake, too.
      keeper.thirst()
      if (isTaken) return true
    }
    return false
  }

  #takeRetry(load: Load, nowMs: number): boolean {
    const { keepers } = this
    const { batch } = this.route.plan
    for (let i = 0; i < keepers.length; i++) {
      this.#retryTurn = this.#retryTurn + 1 < keepers.length ? this.#retryTurn + 1 : 0
      const keeper = keepers[this.#retryTurn]!
      if (!keeper.maySend) continue
      const lane = keeper.lane!
      const isTaken =
        batch === undefined ? lane.takeRetry(load, recordOf) : this.#batcher.takeRetry(load, lane, batch, recordOf, nowMs)
      if (this.#batcher.hasMore) this.#goOnSoon()
      if (isTaken) return true
    }
    return false
  }

  #landed(flight: Flight<Load>): void {
    const { load, endedAt } = flight
    const { breaker } = this
    const before = breaker.state
    const ok = !failsEndpoint(this.route.plan.statusClasses, flight.status)
    const { error } = flight
    const isBlocked = error instanceof EgressError
    if (isBlocked) this.route.access.block(error.message, endedAt)
    if (isBlocked || flight.cut === 'ABORTED') breaker.withdrawn(load.ticket, endedAt)
    else breaker.answered(load.ticket, ok, endedAt, load.row.trigger === Trigger.INITIAL)
    if (load.isRetry) this.#retriesInFlight--
    const nowMs = Date.now()
    const hasGrown = this.adaptive !== undefined && tellLimit(this.adaptive, flight, isBlocked, nowMs)
    if (load.batch === undefined) {
      load.lane!.landed(flight, nowMs)
      this.#parts.onLanded(load.row.outcome)
    } else this.#landedBatch(flight, load.batch, nowMs)
    if (this.#flights.length > this.maxInFlight) this.#dismiss(flight)
    else this.#next(flight, endedAt, nowMs)
    // Also when a probe has succeeded: all the others may go, too.
    if (hasGrown || (before !== 'CLOSED' && this.breaker.state === 'CLOSED')) this.pump()
  }

  #landedBatch(flight: Flight<Load>, { items }: RequestBatch, nowMs: number): void {
    landBatch(flight.load.lane!, flight, nowMs)
    for (const { row } of items) this.#parts.onLanded(row.outcome)
    this.#batcher.reuse(flight.load)
  }

  /** Called some times a second: ends requests that take too long, and lets pass those that hold up their lane. */
  sweep(now: number): void {
    this.#tellRate(now)
    for (const flight of [...this.#flights]) {
      flight.expire(now)
      if (!flight.busy) continue
      const { load } = flight
      if (now - flight.sentAt <= HANG_MS) continue
      const lane = load.lane!
      const carried = load.batch?.items ?? [load]
      if (!carried.some((each) => lane.isHeldUpBy(each))) continue
      const sentMs = Math.round(Date.now() - (now - flight.sentAt))
      for (const each of carried) lane.letPass(each, sentMs)
    }
  }

  #tellRate(now: number): void {
    const ms = now - this.#sweptAt
    this.#sweptAt = now
    if (this.rate === undefined || !this.keepers.some(({ lane }) => waitsForRate(this.rate, lane, now))) return
    this.#parts.onRateLimited(this.route.plan.name, this.rate.text, ms, now)
  }

  /** Aborts the requests of one lane, or of all. */
  abort(keeper?: Keeper): void {
    for (const flight of [...this.#flights]) {
      if (flight.busy && (keeper === undefined || flight.load.lane === keeper.lane)) flight.abort('ABORTED')
    }
  }

  close(): void {
    for (const flight of this.#flights) flight.close()
    this.#flights.length = this.#idle.length = 0
  }

  /** Why a running lane does not move. */
  conditionOf({ lane }: Keeper): LaneCondition {
    return laneCondition(this, this.#parts, lane)
  }

  /** More about that. */
  messageOf({ lane }: Keeper, condition: LaneCondition): string | undefined {
    return conditionMessage(this, lane, condition)
  }
}
