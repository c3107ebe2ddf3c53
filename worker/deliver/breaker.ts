// One breaker per use case and worker: while its endpoint fails nearly everything, a single request probes it from time to time.
//
// state    event                                         next     does
// CLOSED   answer, and the window holds enough failures, OPEN     cooldown = first
//          or as many fresh records' in a row
// CLOSED   any other answer                              CLOSED   counts it
// OPEN     started, after the cooldown                   PROBING  this request is the probe
// PROBING  the probe succeeded                           CLOSED   empties the window
// PROBING  the probe failed                              OPEN     cooldown doubles, up to its maximum
// PROBING  the probe was withdrawn                       OPEN     no cooldown: Ferry aborted it, it said nothing
// PROBING  started, after the probe's deadline           PROBING  a new probe: nobody said what became of the last one
// any      answer or withdrawal of an earlier state      same     nothing
//
// The last line is why a start gives a ticket. Answers that were on their way when the breaker opened say how the endpoint was:
// at one success in ten they would close it at once, and failures among them would stand for the probe's answer.
//
// A record that is tried again has failed before and may well fail for its own sake: a few dozen such records that are due together
// are many failures in a row, and say nothing of the endpoint. So only fresh records count there, and make the better probes.

export interface BreakerOptions {
  /** How far back answers count. */
  readonly windowMs: number
  /** Fewer answers in the window never open it; so many failures of fresh records in a row always do, whatever the window remembers. */
  readonly requestsMin: number
  /** Share of failures in the window that opens it: above 0, up to 1. */
  readonly failureRatio: number
  /** From opening to the first probe. */
  readonly cooldownMs: number
  /** The cooldown doubles with every failed probe, up to this. */
  readonly cooldownMaxMs: number
  /** After this another probe may go although nothing was heard of the last one. Longer than any request may take. */
  readonly probeTimeoutMs: number
}

export const defaultBreakerOptions: BreakerOptions = {
  windowMs: 10_000,
  requestsMin: 20,
  failureRatio: 0.8,
  cooldownMs: 1000,
  cooldownMaxMs: 10_000,
  probeTimeoutMs: 720_000,
}

export type BreakerState = 'CLOSED' | 'OPEN' | 'PROBING'

/** Buckets that the window consists of: an answer leaves it up to one bucket early. */
const BUCKETS = 10

/** Nothing here allocates after construction. Times are ms of one clock that does not go back; if it does, answers count a bit longer. */
export class Breaker {
  readonly #options: BreakerOptions
  readonly #bucketMs: number
  readonly #requests = new Int32Array(BUCKETS)
  readonly #failures = new Int32Array(BUCKETS)
  #requestsInWindow = 0
  #failuresInWindow = 0
  #failuresInRow = 0
  /** Number of the newest bucket, counted from time 0. */
  #bucket = 0
  #state: BreakerState = 'CLOSED'
  /** Grows at every change of state, and at every probe. */
  #ticket = 1
  #cooldownMs: number
  /** OPEN: when the probe may go. PROBING: when the next one may. CLOSED: 0. */
  #nextProbeAtMs = 0

  constructor(options: BreakerOptions) {
    this.#options = options
    this.#bucketMs = options.windowMs / BUCKETS
    this.#cooldownMs = options.cooldownMs
  }

  get state(): BreakerState {
    return this.#state
  }

  /** When mayStart will say yes if nothing else happens; 0 while it is closed. */
  get nextProbeAtMs(): number {
    return this.#nextProbeAtMs
  }

  /** Whether a request may be started now. Changes nothing. */
  mayStart(nowMs: number): boolean {
    return nowMs >= this.#nextProbeAtMs
  }

  /** A request is started; ask mayStart first. Answers the ticket that its answered or withdrawn must bring back. */
  started(nowMs: number): number {
    if (this.#state !== 'CLOSED') this.#enter('PROBING', nowMs + this.#options.probeTimeoutMs)
    return this.#ticket
  }

  /** A started request has ended. ok: it got an answer that is no failure of the endpoint; what it says of the record does not matter. isFresh: the record had not been tried before. */
  answered(ticket: number, ok: boolean, nowMs: number, isFresh = true): void {
    if (ticket !== this.#ticket) return
    if (this.#state === 'CLOSED') this.#count(ok, nowMs, isFresh)
    else if (ok) this.#close()
    else {
      this.#cooldownMs = Math.min(this.#cooldownMs * 2, this.#options.cooldownMaxMs)
      this.#enter('OPEN', nowMs + this.#cooldownMs)
    }
  }

  /** Ferry aborted a started request: that says nothing of the endpoint. */
  withdrawn(ticket: number, nowMs: number): void {
    if (ticket === this.#ticket && this.#state === 'PROBING') this.#enter('OPEN', nowMs)
  }

  #count(ok: boolean, nowMs: number, isFresh: boolean): void {
    this.#advance(Math.floor(nowMs / this.#bucketMs))
    const at = this.#bucket % BUCKETS
    this.#requests[at]!++
    this.#requestsInWindow++
    if (ok) {
      this.#failuresInRow = 0
      return
    }
    this.#failures[at]!++
    this.#failuresInWindow++
    if (isFresh) this.#failuresInRow++
    const { requestsMin, failureRatio, cooldownMs } = this.#options
    const share = this.#requestsInWindow >= requestsMin && this.#failuresInWindow >= failureRatio * this.#requestsInWindow
    if (!share && Math.min(this.#failuresInRow, this.#failuresInWindow) < requestsMin) return
    this.#cooldownMs = cooldownMs
    this.#enter('OPEN', nowMs + cooldownMs)
  }

  #advance(bucket: number): void {
    if (bucket <= this.#bucket) return
    const passed = Math.min(bucket - this.#bucket, BUCKETS)
    for (let i = 0; i < passed; i++) {
      const at = (bucket - i) % BUCKETS
      this.#requestsInWindow -= this.#requests[at]!
      this.#failuresInWindow -= this.#failures[at]!
      this.#requests[at] = 0
      this.#failures[at] = 0
    }
    this.#bucket = bucket
  }

  #close(): void {
    this.#requests.fill(0)
    this.#failures.fill(0)
    this.#requestsInWindow = 0
    this.#failuresInWindow = 0
    this.#failuresInRow = 0
    this.#enter('CLOSED', 0)
  }

  #enter(state: BreakerState, nextProbeAtMs: number): void {
    this.#state = state
    this.#nextProbeAtMs = nextProbeAtMs
    this.#ticket++
  }
}
