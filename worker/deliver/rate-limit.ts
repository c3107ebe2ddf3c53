import { Allowance } from './allowance.ts'

/** A use case's whole limit; at least one is given. */
export interface RatePlan {
  readonly recordsPerSecond: number | undefined
  readonly bytesPerSecond: number | undefined
}

const WHOLE_PPM = 1_000_000
/** Whoever was refused within this time is held back. */
const RECENT_MS = 1000

/** What one worker may send of a use case in a second: its share of the limit, as the control plane divides it. */
export class RateLimit {
  #plan: RatePlan
  #ppm: number
  #records: Allowance | undefined
  #bytes: Allowance | undefined
  #refusedMs = Number.NEGATIVE_INFINITY

  constructor(plan: RatePlan, ppm: number, nowMs: number) {
    this.#plan = plan
    this.#ppm = ppm
    this.#apply(nowMs)
  }

  /** Another share, or another limit: what is owed stays owed. */
  change(plan: RatePlan, ppm: number, nowMs: number): void {
    if (plan === this.#plan && ppm === this.#ppm) return
    this.#plan = plan
    this.#ppm = ppm
    this.#apply(nowMs)
  }

  #apply(nowMs: number): void {
    const { recordsPerSecond, bytesPerSecond } = this.#plan
    // Who begins waits for its first record: however often workers come and go, no more is sent.
    this.#records = this.#changed(this.#records, recordsPerSecond, nowMs, 1)
    this.#bytes = this.#changed(this.#bytes, bytesPerSecond, nowMs, 0)
  }

  #changed(before: Allowance | undefined, perSecond: number | undefined, nowMs: number, owed: number): Allowance | undefined {
    if (perSecond === undefined) return undefined
    const own = (perSecond * this.#ppm) / WHOLE_PPM
    if (before === undefined) return new Allowance(own, nowMs, owed)
    before.setRate(own, nowMs)
    return before
  }

  mayStart(nowMs: number): boolean {
    const may = this.#records?.mayStart(nowMs) !== false && this.#bytes?.mayStart(nowMs) !== false
    if (!may) this.#refusedMs = nowMs
    return may
  }

  /** A request has started; ask mayStart first. */
  sent(records: number, bytes: number, nowMs: number): void {
    this.#records?.spend(records, nowMs)
    this.#bytes?.spend(bytes, nowMs)
  }

  /** Whether something would have been sent lately, had there been something. */
  holdsBack(nowMs: number): boolean {
    return nowMs - this.#refusedMs < RECENT_MS
  }

  /** For people: what this worker may send. */
  get text(): string {
    const { recordsPerSecond, bytesPerSecond } = this.#plan
    const part = (perSecond: number | undefined, unit: string): string[] =>
      perSecond === undefined ? [] : [`${plain((perSecond * this.#ppm) / WHOLE_PPM)} of ${plain(perSecond)} ${unit} a second`]
    return `rate_limit: this worker sends ${[...part(recordsPerSecond, 'records'), ...part(bytesPerSecond, 'bytes')].join(' and ')}`
  }
}

const plain = (value: number): string => String(Number(value.toPrecision(6)))

/** The limiter of a use case as its plan and share are now; undefined without a limit. */
export function changedRate(
  before: RateLimit | undefined,
  plan: RatePlan | undefined,
  ppm: number,
  nowMs: number,
): RateLimit | undefined {
  if (plan === undefined) return undefined
  before?.change(plan, ppm, nowMs)
  return before ?? new RateLimit(plan, ppm, nowMs)
}
