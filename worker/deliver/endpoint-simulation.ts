import TinyQueue from 'tinyqueue'
import type { EndpointLoad } from './adaptive-limit.ts'

/** For tests: what an endpoint is like from some time on. */
export interface Phase {
  readonly fromMs: number
  /** Requests that it works at, at once; the others queue. */
  readonly capacity: number
  readonly serviceMs: number
  /** Spread of the service time: sigma of a lognormal distribution around serviceMs. */
  readonly noise: number
  /** More that wait are answered with 503 at once. */
  readonly queueMax: number
  /** Share of requests that are answered with 503 for no reason. */
  readonly failing: number
  /** Everything is refused. */
  readonly isDown: boolean
}

export interface Limiter {
  readonly limit: number
  started(inFlight: number, nowMs: number): void
  answered(load: EndpointLoad, startedMs: number, nowMs: number, wallMs: number): void
}

interface Waiting {
  /** Whose it is. */
  readonly client: number
  readonly startedMs: number
}

interface Event extends Waiting {
  readonly atMs: number
  readonly load: EndpointLoad
  readonly holdsWorker: boolean
}

/** What was seen in one stretch of time. */
export interface Stretch {
  readonly perSecond: number
  /** Of answers that were no overload. */
  readonly meanMs: number
  readonly p50Ms: number
  readonly overloaded: number
  /** Of all limiters together. */
  readonly limit: number
}

export const phase = (over: Partial<Phase> = {}): Phase => ({
  ...{ fromMs: 0, capacity: Number.POSITIVE_INFINITY, serviceMs: 50, noise: 0, queueMax: Number.POSITIVE_INFINITY },
  ...{ failing: 0, isDown: false },
  ...over,
})

/** Workers that always have more, each with a limiter, and one endpoint with a first-come queue, in a clock of their own. */
export class EndpointSimulation {
  nowMs = 0
  readonly #inFlight: number[]
  readonly #limiters: readonly Limiter[]
  readonly #phases: readonly Phase[]
  readonly #random: () => number
  readonly #events = new TinyQueue<Event>([], (a, b) => a.atMs - b.atMs)
  readonly #queue: Waiting[] = []
  #busy = 0
  #latencies: number[] = []
  #overloads = 0
  /** Each has no more than so many on the way, whatever its limiter allows. */
  demand = Number.POSITIVE_INFINITY
  /** Each worker's clock is so much ahead of the one before. */
  skewMs = 0

  constructor(limiters: readonly Limiter[], phases: readonly Phase[], random: () => number) {
    this.#limiters = limiters
    this.#inFlight = limiters.map(() => 0)
    this.#phases = phases
    this.#random = random
  }

  /** Goes on for so long; answers what was seen meanwhile. */
  run(ms: number): Stretch {
    this.#latencies = []
    this.#overloads = 0
    const untilMs = this.nowMs + ms
    this.#fill()
    for (let next = this.#events.peek(); next !== undefined && next.atMs <= untilMs; next = this.#events.peek()) {
      this.#events.pop()
      this.nowMs = next.atMs
      this.#end(next)
      this.#fill()
    }
    this.nowMs = untilMs
    const sorted = this.#latencies.toSorted((a, b) => a - b)
    return {
      perSecond: (sorted.length * 1000) / ms,
      meanMs: sorted.reduce((sum, each) => sum + each, 0) / Math.max(1, sorted.length),
      p50Ms: sorted[Math.floor(sorted.length / 2)] ?? 0,
      overloaded: this.#overloads / Math.max(1, this.#overloads + sorted.length),
      limit: this.#limiters.reduce((sum, each) => sum + each.limit, 0),
    }
  }

  get #phase(): Phase {
    return this.#phases.findLast((each) => each.fromMs <= this.nowMs)!
  }

  #fill(): void {
    for (const [client, limiter] of this.#limiters.entries()) {
      while (this.#inFlight[client]! < Math.min(this.demand, limiter.limit)) {
        limiter.started(++this.#inFlight[client]!, this.nowMs)
        this.#arrive({ client, startedMs: this.nowMs })
      }
    }
  }

  #arrive(request: Waiting): void {
    const { capacity, queueMax, failing, isDown } = this.#phase
    if (isDown || this.#random() < failing) this.#answer(request, 1, 'OVERLOAD', false)
    else if (this.#busy < capacity) this.#serve(request)
    else if (this.#queue.length < queueMax) this.#queue.push(request)
    else this.#answer(request, 1, 'OVERLOAD', false)
  }

  #serve(request: Waiting): void {
    this.#busy++
    const { serviceMs, noise } = this.#phase
    this.#answer(request, serviceMs * Math.exp(noise * this.#gauss()), 'FINE', true)
  }

  #answer(request: Waiting, inMs: number, load: EndpointLoad, holdsWorker: boolean): void {
    this.#events.push({ ...request, atMs: this.nowMs + inMs, load, holdsWorker })
  }

  #end({ client, startedMs, load, holdsWorker }: Event): void {
    this.#inFlight[client]!--
    if (holdsWorker) this.#busy--
    while (this.#queue.length > 0 && this.#busy < this.#phase.capacity) this.#serve(this.#queue.shift()!)
    if (load === 'OVERLOAD') this.#overloads++
    else this.#latencies.push(this.nowMs - startedMs)
    this.#limiters[client]!.answered(load, startedMs, this.nowMs, this.nowMs + client * this.skewMs)
  }

  /** Box and Muller. */
  #gauss(): number {
    return Math.sqrt(-2 * Math.log(1 - this.#random())) * Math.cos(2 * Math.PI * this.#random())
  }
}
