import type { LaneProgress } from './progress.ts'
import { spread } from './spread.ts'

/** How long before its time an item is handed over: longer than between two turns of the leader. */
const aheadMs = 2000
/** Handed over and not ended: more than this time's worth is not, so that what an outage holds up does not come all at once after it. */
const outstandingMs = 10_000

/**
 * The times at which a batch with records_per_second begins its deliveries, one after the other over all lanes. It is in the leader's
 * memory alone: another leader begins with now, so a batch is never faster for it.
 */
export class Pace {
  readonly #intervalMs: number
  #nextMs: number
  #untilMs = 0

  constructor(recordsPerSecond: number, nowMs: number) {
    this.#intervalMs = 1000 / recordsPerSecond
    this.#nextMs = nowMs
  }

  /** A new turn, restMs after which the next one comes: what was not handed over in time before is not made up for. */
  begin(nowMs: number, restMs: number): void {
    this.#nextMs = Math.max(this.#nextMs, nowMs)
    this.#untilMs = nowMs + aheadMs + restMs
  }

  /** How many each lane may be handed in this turn, by partition. */
  share(lanes: readonly Pick<LaneProgress, 'partition' | 'pending' | 'waiting'>[]): Map<number, number> {
    const handed = lanes.reduce((sum, { pending, waiting }) => sum + pending - waiting, 0)
    const room = Math.max(1, Math.ceil(outstandingMs / this.#intervalMs)) - handed
    const times = this.#nextMs > this.#untilMs ? 0 : Math.floor((this.#untilMs - this.#nextMs) / this.#intervalMs) + 1
    return spread(new Map(lanes.map(({ partition, waiting }) => [partition, waiting])), Math.max(0, Math.min(room, times)))
  }

  /** The next time, Unix ms. */
  next(): number {
    const ms = this.#nextMs
    this.#nextMs += this.#intervalMs
    return Math.round(ms)
  }
}
