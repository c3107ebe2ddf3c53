import { changedRate, type RateLimit, type RatePlan } from './rate-limit.ts'

/** Of what LIVE would take alone, BACKFILL gets so much while something of it waits. */
export const BACKFILL_PART = 0.05

/**
 * One rate limit for LIVE and BACKFILL: LIVE goes by all of it, and does not feel what BACKFILL has used; BACKFILL by what LIVE leaves of it.
 * In any T seconds at most rate * (T + 0.2) and one request of each more: BACKFILL starts only while both together owe nothing.
 */
export class ClassRates {
  /** Of LIVE. */
  live: RateLimit | undefined
  /** Of both. */
  all: RateLimit | undefined
  #plan: RatePlan | undefined
  #ppm = 0
  #backfillWaits = false

  share(plan: RatePlan | undefined, ppm: number, now: number): void {
    this.#plan = plan
    this.#ppm = ppm
    this.#apply(now)
  }

  #apply(now: number): void {
    const part = this.#backfillWaits ? 1 - BACKFILL_PART : 1
    this.live = changedRate(this.live, this.#plan, this.#ppm * part, now)
    this.all = changedRate(this.all, this.#plan, this.#ppm, now)
  }

  /** Some times a second: while something of BACKFILL waits, LIVE leaves a part to it. */
  sweep(backfillWaits: boolean, now: number): void {
    if (backfillWaits === this.#backfillWaits) return
    this.#backfillWaits = backfillWaits
    this.#apply(now)
  }

  of(isBackfill: boolean): RateLimit | undefined {
    return isBackfill ? this.all : this.live
  }

  sent(isBackfill: boolean, records: number, bytes: number, now: number): void {
    this.all?.sent(records, bytes, now)
    if (!isBackfill) this.live?.sent(records, bytes, now)
  }
}
