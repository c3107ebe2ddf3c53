import { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { Breaker, defaultBreakerOptions } from '../deliver/breaker.ts'
import { Flight } from '../deliver/flight.ts'
import type { Route } from '../deliver/route.ts'
import { failsEndpoint } from '../deliver/status-class.ts'
import type { AttemptLog } from '../record/attempt-log.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import type { Keeper } from './keeper.ts'
import { Load } from './load.ts'
import { unpackRecord } from './packed-record.ts'
import type { Parked } from './parking.ts'

const recordOf = (entry: Parked): KafkaRecord => unpackRecord(entry.packed!, entry.offset)

/**
 * One use case on this worker: its lanes here take turns for its request slots. A slot that lands takes the next record at
 * once. Retries take at most half of the slots while fresh records wait.
 */
export class Roster {
  route: Route
  readonly keepers: Keeper[] = []
  readonly breaker = new Breaker(defaultBreakerOptions)
  maxInFlight = 1
  readonly #attempts: AttemptLog<Parked>
  readonly #maySend: () => boolean
  readonly #onLanded: (outcome: number) => void
  #flights: Flight<Load>[] = []
  readonly #idle: Flight<Load>[] = []
  #retriesInFlight = 0
  #turn = 0

  /** maySend: whether this worker may send at all, by its lease. */
  constructor(route: Route, attempts: AttemptLog<Parked>, maySend: () => boolean, onLanded: (outcome: number) => void) {
    this.route = route
    this.#attempts = attempts
    this.#maySend = maySend
    this.#onLanded = onLanded
  }

  add(keeper: Keeper): void {
    this.keepers.push(keeper)
  }

  remove(keeper: Keeper): void {
    const at = this.keepers.indexOf(keeper)
    if (at >= 0) this.keepers.splice(at, 1)
  }

  /** Sends as much as may be sent now. */
  pump(): void {
    for (;;) {
      const flight = this.#idle.pop() ?? this.#open()
      if (flight === undefined || !this.#next(flight)) return
    }
  }

  #open(): Flight<Load> | undefined {
    if (this.#flights.length >= this.maxInFlight) return undefined
    const flight = new Flight<Load>(this.route.target, new Load(), (landed) => this.#landed(landed))
    this.#flights.push(flight)
    return flight
  }

  /** Gives the slot its next record, or lays it aside; answers whether it flies. */
  #next(flight: Flight<Load>): boolean {
    if (this.#flights.length > this.maxInFlight) {
      flight.close()
      this.#flights = this.#flights.filter((each) => each !== flight)
      return false
    }
    const now = performance.now()
    const { load } = flight
    while (this.#maySend() && this.#attempts.open && this.breaker.mayStart(now) && this.#take(load)) {
      const lane = load.lane!
      if (!lane.decode(load, Math.round(performance.timeOrigin + now))) continue
      if (load.entry !== undefined) this.#retriesInFlight++
      load.ticket = this.breaker.started(now)
      flight.send(this.route.target, load.headers, load.body, now)
      return true
    }
    this.#idle.push(flight)
    return false
  }

  #take(load: Load): boolean {
    const retriesFirst = this.#retriesInFlight * 2 < this.maxInFlight
    return (retriesFirst && this.#takeRetry(load)) || this.#takeFresh(load) || (!retriesFirst && this.#takeRetry(load))
  }

  #takeFresh(load: Load): boolean {
    const { keepers } = this
    for (let i = 0; i < keepers.length; i++) {
      this.#turn = this.#turn + 1 < keepers.length ? this.#turn + 1 : 0
      const keeper = keepers[this.#turn]!
      if (!keeper.maySend || !keeper.lane!.takeFresh(load)) continue
      keeper.thirst()
      return true
    }
    return false
  }

  #takeRetry(load: Load): boolean {
    for (const keeper of this.keepers) if (keeper.maySend && keeper.lane!.takeRetry(load, recordOf)) return true
    return false
  }

  #landed(flight: Flight<Load>): void {
    const { load } = flight
    if (flight.cut === 'ABORTED') this.breaker.withdrawn(load.ticket, flight.endedAt)
    else this.breaker.answered(load.ticket, !failsEndpoint(this.route.plan.statusClasses, flight.status), flight.endedAt)
    if (load.entry !== undefined) this.#retriesInFlight--
    load.lane!.landed(flight, Math.round(performance.timeOrigin + flight.endedAt))
    this.#onLanded(load.row.outcome)
    this.#next(flight)
  }

  /** Called some times a second: ends requests that take too long. */
  sweep(now: number): void {
    for (const flight of [...this.#flights]) flight.expire(now)
  }

  /** Aborts the requests of one lane, or of all. */
  abort(keeper?: Keeper): void {
    for (const flight of [...this.#flights]) {
      if (flight.busy && (keeper === undefined || flight.load.lane === keeper.lane)) flight.abort('ABORTED')
    }
  }

  close(): void {
    for (const flight of this.#flights) flight.close()
    this.#flights = []
    this.#idle.length = 0
  }

  /** Why a running lane does not move: the first that applies. */
  conditionOf(keeper: Keeper): LaneCondition {
    const { lane } = keeper
    if (lane === undefined || keeper.condition !== LaneCondition.UNSPECIFIED) return keeper.condition
    if (this.breaker.state !== 'CLOSED') return LaneCondition.BREAKER_OPEN
    if (lane.exhausted > 0) return LaneCondition.WAITING_FOR_SUCCESS
    if (lane.parkedFull) return LaneCondition.PARKED_FULL
    return this.#attempts.open ? LaneCondition.UNSPECIFIED : LaneCondition.LOG_UNAVAILABLE
  }
}
