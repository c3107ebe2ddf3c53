import type { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { EgressError } from '../deliver/egress-guard.ts'
import { type Endpoint, OwnEndpoint, type Sender } from '../deliver/endpoint.ts'
import { Flight } from '../deliver/flight.ts'
import type { Route } from '../deliver/route.ts'
import { failsEndpoint } from '../deliver/status-class.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import { Batcher } from './batcher.ts'
import type { Keeper } from './keeper.ts'
import { landBatch } from './land-batch.ts'
import { conditionMessage, hasWork, laneCondition, waitsForRate } from './lane-condition.ts'
import { letPass } from './let-pass.ts'
import { Load } from './load.ts'
import { unpackRecord } from './packed-record.ts'
import type { Parked } from './parked.ts'
import type { RosterParts } from './roster-parts.ts'

/** Records that end without a request, because nothing can be made of them, are taken one after the other for so long. */
const TURN_MS = 5

const recordOf = (entry: Parked): KafkaRecord => unpackRecord(entry.packed!, entry.offset)

/**
 * One use case on this worker: its lanes here take turns for its request slots. A slot that lands takes the next record at
 * once. Retries take at most half of the slots while fresh records wait; of a single slot, and of a rate, every other turn.
 */
export class Roster implements Sender {
  route: Route
  readonly keepers: Keeper[] = []
  /** Bounds its requests, together with others' in a group. */
  endpoint: Endpoint = new OwnEndpoint()
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

  get name(): string {
    return this.route.plan.name
  }

  get isBackfill(): boolean {
    return this.route.plan.isBackfill
  }

  get hasWork(): boolean {
    return this.keepers.some(({ lane, maySend }) => maySend && hasWork(lane))
  }

  /** What is on the way counts neither there nor here. */
  moveTo(endpoint: Endpoint): void {
    for (const { load } of this.#flights) load.ticket = 0
    this.endpoint = endpoint
  }

  /** Sends as much as may be sent now. */
  pump(): void {
    this.endpoint.letOthersFirst(this)
    // A share that has become smaller: slots that are idle go now, the others when they land.
    while (this.#flights.length > this.endpoint.maxInFlight && this.#idle.length > 0) this.#dismiss(this.#idle.pop()!)
    for (;;) {
      const flight = this.#idle.pop() ?? this.#open()
      if (flight === undefined) this.endpoint.lacksSlot(this, performance.now())
      if (flight === undefined || !this.#next(flight, performance.now(), Date.now())) return
    }
  }

  #open(): Flight<Load> | undefined {
    if (this.#flights.length >= this.endpoint.maxInFlight) return undefined
    const mayWrite = (): boolean => this.#parts.maySend(performance.now(), Date.now())
    const flight = new Flight<Load>(this.route.target, new Load(), (each) => this.#landed(each), mayWrite)
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
      load.ticket = this.endpoint.begin(this, now)
      if (made === true) {
        flight.send(this.route.target, load.headers, load.body, now)
        this.endpoint.started(this, now)
      } else void this.#sendLater(flight, made, now)
      this.endpoint.sent(this, load.batch?.count ?? 1, load.body.length, now)
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
      this.endpoint.started(this, later)
      this.endpoint.sent(this, 0, load.body.length, later)
    } else this.#endsUnsent(flight, later, laterMs)
  }

  /** Nothing is to be sent of what a slot was taken for. */
  #endsUnsent(flight: Flight<Load>, now: number, nowMs: number): void {
    const { load } = flight
    flight.letGo()
    this.endpoint.breaker.withdrawn(load.ticket, now)
    if (load.isRetry) this.#retriesInFlight--
    this.#goOn(flight, now, nowMs, false)
  }

  /** The slot is free. hasRoom: others are, too, which were not before. */
  #goOn(flight: Flight<Load>, now: number, nowMs: number, hasRoom: boolean): void {
    const { endpoint } = this
    const isShared = endpoint.group !== undefined
    if (this.#flights.length > endpoint.maxInFlight) this.#dismiss(flight)
    else if (isShared) this.#idle.push(flight)
    else this.#next(flight, now, nowMs)
    if (isShared || hasRoom) endpoint.pump(this, now)
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
    if (!maySend(now, nowMs) || !logIsOpen() || !this.route.access.mayStart(now)) return false
    // The last to be asked: what it refuses would have been sent.
    return this.endpoint.mayStart(this, now)
  }

  #take(load: Load, now: number, nowMs: number): boolean {
    const { endpoint } = this
    const slots = endpoint.limit
    const byTurns = slots === 1 || endpoint.rateOf(this) !== undefined
    const share = byTurns ? !this.#tookRetry : (this.#retriesInFlight + 1) * 2 <= slots
    // Probes are by turns a fresh record and one that is tried again: either kind may fail for its own sake and hold all others up.
    const isClosed = endpoint.breaker.state === 'CLOSED'
    if (!isClosed) this.#probeRetry = !this.#probeRetry
    const retryFirst = isClosed ? share : this.#probeRetry
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
    const { breaker } = this.endpoint
    const before = breaker.state
    const ok = !failsEndpoint(this.route.plan.statusClasses, flight.status)
    const { error } = flight
    const isBlocked = error instanceof EgressError
    if (isBlocked) this.route.access.block(error.message, endedAt)
    if (isBlocked || flight.cut === 'ABORTED') breaker.withdrawn(load.ticket, endedAt)
    else breaker.answered(load.ticket, ok, endedAt, load.row.trigger === load.lane!.firstTrigger)
    if (load.isRetry) this.#retriesInFlight--
    const nowMs = Date.now()
    const hasGrown = this.endpoint.answered(this, flight, isBlocked, nowMs)
    if (load.batch === undefined) load.lane!.landed(flight, nowMs)
    else landBatch(load.lane!, flight, nowMs)
    this.#parts.onLanded(this.route.plan, flight)
    if (load.batch !== undefined) this.#batcher.reuse(load)
    // Also when a probe has succeeded: all the others may go, too.
    this.#goOn(flight, endedAt, nowMs, hasGrown || (before !== 'CLOSED' && breaker.state === 'CLOSED'))
  }

  /** Called some times a second: ends requests that take too long, and lets pass those that hold up their lane. */
  sweep(now: number): void {
    this.endpoint.sweep(now)
    this.#tellRate(now)
    for (const flight of [...this.#flights]) letPass(flight, now)
  }

  #tellRate(now: number): void {
    const ms = now - this.#sweptAt
    this.#sweptAt = now
    const rate = this.endpoint.rateOf(this)
    if (rate === undefined || !this.keepers.some(({ lane }) => waitsForRate(rate, lane, now))) return
    this.#parts.onRateLimited(this.route.plan, rate.text, ms, now)
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
