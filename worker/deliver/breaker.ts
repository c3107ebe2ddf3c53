// One breaker per use case and worker: while its endpoint fails nearly everything, a few requests probe it from time to time.
//
// state    event                                         next     does
// CLOSED   answer, and the window holds enough failures, OPEN     cooldown = first
//          or as many came in a row
// CLOSED   any other answer                              CLOSED   counts it
// OPEN     started, after the cooldown                   PROBING  this request is a probe; a few others may follow at once
// PROBING  started, while probes are left                PROBING  this request is a probe, too
// PROBING  a probe succeeded                             CLOSED   empties the window
// PROBING  the last probe failed, as all the others      OPEN     cooldown doubles, up to its maximum
// PROBING  a probe was withdrawn                         PROBING  another may go in its place: Ferry aborted it, it said nothing
// PROBING  started, after the last probe's deadline      PROBING  new probes: nobody said what became of those
// any      answer or withdrawal of an earlier state      same     nothing
//
// A probe may fail for its record's sake: hence several of them, of which one success is enough.
//
// The last line is why a start gives a ticket. Answers that were on their way when the breaker opened say how the endpoint was:
// at one success in ten they would close it at once, and failures among them would stand for the probe's answer.
//
// A record that is tried again has failed before and may well fail for its own sake: hundreds of them that are due together say nothing
// of the endpoint, and each has waits of its own. So only failures of fresh records count, and successes of all.

export interface BreakerOptions {
  /** How far back answers count. */
  readonly windowMs: number
  /** Fewer answers in the window never open it; so many failures in a row always do, whatever the window remembers. */
  readonly requestsMin: number
  /** Share of failures in the window that opens it: above 0, up to 1. */
  readonly failureRatio: number
  /** From opening to the first probe. */
  readonly cooldownMs: number
  /** The cooldown doubles with every failed probe, up to this. */
  readonly cooldownMaxMs: number
  /** Requests after each cooldown, of which one must succeed. */
  readonly probes: number
  /** After this other probes may go although nothing was heard of the last ones. Longer than any request may take. */
  readonly probeTimeoutMs: number
}

export const defaultBreakerOptions: BreakerOptions = {
  windowMs: 10_000,
  requestsMin: 20,
  failureRatio: 0.8,
  cooldownMs: 1000,
  cooldownMaxMs: 10_000,
  probes: 10,
  probeTimeoutMs: 720_000,
}

export type BreakerState = 'CLOSED' | 'OPEN' | 'PROBING'

/** Buckets that the window consists of: an answer leaves it up to one bucket early. */
const BUCKETS = 10

/** Nothing here allocates after construction. Times are ms of one clock that does not go back; if it does, answers count a bit longer. */
export class Breaker {
  readonly #options: BreakerOptions
  readonly #bucketMs: number
  readonly #answers = new Int32Array(BUCKETS)
  readonly #failures = new Int32Array(BUCKETS)
  #answersInWindow = 0
  #failuresInWindow = 0
  #failuresInRow = 0
  /** Number of the newest bucket, counted from time 0. */
  #bucket = 0
  #state: BreakerState = 'CLOSED'
  /** PROBING: probes that may still be started, and those on their way. */
  #probesLeft = 0
  #probesOut = 0
  /** Grows at every change of state. */
  #ticket = 1
  #cooldownMs: number
  /** OPEN: when probes may go. PROBING: when the next one may. CLOSED: 0. */
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
    if (this.#state !== 'CLOSED') this.#probe(nowMs)
    return this.#ticket
  }

  /** A started request has ended. ok: it got an answer that is no failure of the endpoint; what it says of the record does not matter. isFresh: the record had not been tried before. */
  answered(ticket: number, ok: boolean, nowMs: number, isFresh = true): void {
    if (ticket !== this.#ticket) return
    if (this.#state === 'CLOSED') {
      if (ok || isFresh) this.#count(ok, nowMs)
    } else if (ok) this.#close()
    else if (--this.#probesOut === 0 && this.#probesLeft === 0) {
      this.#cooldownMs = Math.min(this.#cooldownMs * 2, this.#options.cooldownMaxMs)
      this.#enter('OPEN', nowMs + this.#cooldownMs)
    }
  }

  /** Ferry aborted a started request: that says nothing of the endpoint. */
  withdrawn(ticket: number, nowMs: number): void {
    if (ticket !== this.#ticket || this.#state !== 'PROBING') return
    this.#probesOut--
    this.#probesLeft++
    this.#nextProbeAtMs = nowMs
  }

  #probe(nowMs: number): void {
    if (this.#state === 'OPEN' || this.#probesLeft === 0) {
      this.#probesLeft = this.#options.probes
      this.#probesOut = 0
      this.#enter('PROBING', nowMs)
    }
    this.#probesOut++
    if (--this.#probesLeft === 0) this.#nextProbeAtMs = nowMs + this.#options.probeTimeoutMs
  }

  #count(ok: boolean, nowMs: number): void {
    this.#advance(Math.floor(nowMs / this.#bucketMs))
    const at = this.#bucket % BUCKETS
    this.#answers[at]!++
    this.#answersInWindow++
    if (ok) {
      this.#failuresInRow = 0
      return
    }
    this.#failures[at]!++
    this.#failuresInWindow++
    this.#failuresInRow++
    const { requestsMin, failureRatio, cooldownMs } = this.#options
    const isShare = this.#answersInWindow >= requestsMin && this.#failuresInWindow >= failureRatio * this.#answersInWindow
    if (!isShare && Math.min(this.#failuresInRow, this.#failuresInWindow) < requestsMin) return
    this.#cooldownMs = cooldownMs
    this.#enter('OPEN', nowMs + cooldownMs)
  }

  #advance(bucket: number): void {
    if (bucket <= this.#bucket) return
    const passed = Math.min(bucket - this.#bucket, BUCKETS)
    for (let i = 0; i < passed; i++) {
      const at = (bucket - i) % BUCKETS
      this.#answersInWindow -= this.#answers[at]!
      this.#failuresInWindow -= this.#failures[at]!
      this.#answers[at] = 0
      this.#failures[at] = 0
    }
    this.#bucket = bucket
  }

  #close(): void {
    this.#answers.fill(0)
    this.#failures.fill(0)
    this.#answersInWindow = 0
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
