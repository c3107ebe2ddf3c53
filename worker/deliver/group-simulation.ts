import TinyQueue from 'tinyqueue'
import type { Sender } from './endpoint.ts'
import { SharedEndpoint } from './shared-endpoint.ts'

/** For tests: what a use case has to send, and what its requests take. */
export interface Demand {
  readonly isBackfill: boolean
  /** From one record to the next; 0: there is always one. */
  readonly everyMs: number
  readonly serviceMs: number
  /** Records of one request. */
  readonly records: number
  readonly fromMs: number
  readonly toMs: number
}

export const demand = (over: Partial<Demand> = {}): Demand => ({
  ...{ isBackfill: false, everyMs: 0, serviceMs: 50, records: 1, fromMs: 0, toMs: Number.POSITIVE_INFINITY },
  ...over,
})

interface Event {
  readonly atMs: number
  readonly happens: () => void
}

const TICK_MS = 20

class SimulatedSender implements Sender {
  readonly name: string
  inFlight = 0
  /** Records wait since these times. */
  readonly #waiting: number[] = []
  readonly #simulation: GroupSimulation
  readonly demand: Demand
  /** From a record's arrival to its answer. */
  readonly latencies: number[] = []
  /** When each request was sent. */
  readonly sentMs: number[] = []
  /** Of its requests, summed. */
  busyMs = 0

  constructor(name: string, given: Demand, simulation: GroupSimulation) {
    this.name = name
    this.demand = given
    this.#simulation = simulation
    if (given.everyMs > 0) simulation.at(given.fromMs, () => this.#arrive())
  }

  get isBackfill(): boolean {
    return this.demand.isBackfill
  }

  get hasWork(): boolean {
    const { fromMs, toMs, everyMs } = this.demand
    const { nowMs } = this.#simulation
    return this.#waiting.length > 0 || (everyMs === 0 && nowMs >= fromMs && nowMs < toMs)
  }

  #arrive(): void {
    const { nowMs } = this.#simulation
    if (nowMs >= this.demand.toMs) return
    this.#waiting.push(nowMs)
    this.#simulation.at(nowMs + this.demand.everyMs, () => this.#arrive())
    this.pump()
  }

  pump(): void {
    const { endpoint, nowMs } = this.#simulation
    endpoint.letOthersFirst(this)
    for (;;) {
      if (this.inFlight >= endpoint.maxInFlight) {
        endpoint.lacksSlot(this, nowMs)
        return
      }
      // As a roster does: a slot is taken before it is known whether there is something for it.
      this.inFlight++
      if (!endpoint.mayStart(this, nowMs) || !this.hasWork) {
        this.inFlight--
        return
      }
      this.#send(this.#waiting.shift() ?? nowMs)
    }
  }

  #send(sinceMs: number): void {
    const { endpoint, nowMs } = this.#simulation
    endpoint.begin(this, nowMs)
    endpoint.started(this, nowMs)
    endpoint.sent(this, this.demand.records, 0, nowMs)
    this.sentMs.push(nowMs)
    this.#simulation.serve(this.demand.serviceMs, () => {
      const endedAt = this.#simulation.nowMs
      this.inFlight--
      this.busyMs += endedAt - nowMs
      this.latencies.push(endedAt - sinceMs)
      endpoint.answered(this, { status: 200, cut: undefined, sentAt: nowMs, endedAt }, false, endedAt)
      endpoint.pump(this, endedAt)
    })
  }
}

/** The use cases of a group on one worker, and an endpoint that works at so many requests at once, in a clock of their own. */
export class GroupSimulation {
  nowMs = 0
  readonly endpoint = new SharedEndpoint('demo/group', 0)
  readonly senders: readonly SimulatedSender[]
  /** The most requests that were ever on the way. */
  mostInFlight = 0
  readonly #events = new TinyQueue<Event>([], (a, b) => a.atMs - b.atMs)
  readonly #queue: (() => void)[] = []
  readonly #capacity: number
  #busy = 0

  constructor(demands: readonly Demand[], capacity = Number.POSITIVE_INFINITY) {
    this.#capacity = capacity
    this.senders = demands.map((each, at) => new SimulatedSender(`use case ${at}`, each, this))
    for (const sender of this.senders) this.endpoint.join(sender, 0)
    this.at(0, () => this.#tick())
  }

  at(atMs: number, happens: () => void): void {
    this.#events.push({ atMs, happens })
  }

  /** A request has come to the endpoint; it waits there for a place. */
  serve(serviceMs: number, landed: () => void): void {
    const sum = this.senders.reduce((total, { inFlight }) => total + inFlight, 0)
    this.mostInFlight = Math.max(this.mostInFlight, sum)
    this.#queue.push(() => {
      this.at(this.nowMs + serviceMs, () => {
        this.#busy--
        this.#work()
        landed()
      })
    })
    this.#work()
  }

  #work(): void {
    while (this.#busy < this.#capacity && this.#queue.length > 0) {
      this.#busy++
      this.#queue.shift()!()
    }
  }

  #tick(): void {
    if (this.nowMs % 100 === 0) this.endpoint.sweep(this.nowMs)
    for (const sender of this.senders) sender.pump()
    this.at(this.nowMs + TICK_MS, () => this.#tick())
  }

  run(ms: number): void {
    const untilMs = this.nowMs + ms
    for (let next = this.#events.peek(); next !== undefined && next.atMs <= untilMs; next = this.#events.peek()) {
      this.#events.pop()
      this.nowMs = next.atMs
      next.happens()
    }
    this.nowMs = untilMs
  }
}
