/** What is used is measured over so long. */
const WINDOW_MS = 1000
/** What was asked for in one of the last windows is asked for still: a share that went away comes back only some heartbeats later. */
const REMEMBERED = 5
/** What is asked for, above what is used: what comes next need not wait. */
const MORE = 1.25
/** Demands are rounded up to this, so that they do not change all the time. */
const STEP_PPM = 50_000
const WHOLE_PPM = 1_000_000

/** A group's limits over the whole fleet; undefined: there is none. */
export interface WholeLimits {
  readonly maxInFlight: number
  readonly recordsPerSecond: number | undefined
  readonly bytesPerSecond: number | undefined
}

/** How much of a group's limits one LIVE use case asks for on this worker. Who waits for its share asks for all there is. */
export class LiveDemand {
  #startedAt: number
  #records = 0
  #bytes = 0
  #looks = 0
  #inFlight = 0
  #waiting = 0
  readonly #asked = new Float64Array(REMEMBERED)
  #at = 0
  /** In millionths of the whole. */
  ppm = 0

  constructor(now: number) {
    this.#startedAt = now
  }

  sent(records: number, bytes: number): void {
    this.#records += records
    this.#bytes += bytes
  }

  /** Some times a second. waits: it would send more if its share were larger. */
  look(inFlight: number, waits: boolean, limits: WholeLimits, now: number): void {
    this.#looks++
    this.#inFlight += inFlight
    if (waits) this.#waiting++
    const ms = now - this.#startedAt
    if (ms < WINDOW_MS) return
    const rateOf = (used: number, perSecond: number | undefined): number =>
      perSecond === undefined ? 0 : (used * 1000) / ms / perSecond
    const used = Math.max(
      rateOf(this.#records, limits.recordsPerSecond),
      rateOf(this.#bytes, limits.bytesPerSecond),
      this.#inFlight / this.#looks / limits.maxInFlight,
    )
    this.#asked[this.#at] = this.#waiting * 2 >= this.#looks ? 1 : Math.min(1, used * MORE)
    this.#at = (this.#at + 1) % REMEMBERED
    this.ppm = Math.ceil((Math.max(...this.#asked) * WHOLE_PPM) / STEP_PPM) * STEP_PPM
    this.#startedAt = now
    this.#records = this.#bytes = this.#looks = this.#inFlight = this.#waiting = 0
  }
}
