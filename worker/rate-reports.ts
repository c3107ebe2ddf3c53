import type { Logger } from '../runtime/log.ts'

/** A use case that goes by its limit all day is said once in so long. */
const LOG_AGAIN_MS = 600_000
/** Use cases that are remembered for that. */
const NAMES_MAX = 10_000

/** Says which use cases wait for their rate limits. */
export class RateReports {
  readonly #saidMs = new Map<string, number>()
  readonly #log: Pick<Logger, 'info'>

  constructor(log: Pick<Logger, 'info'>) {
    this.#log = log
  }

  /** Something of the use case waits for its limit. nowMs: of a monotonic clock. */
  waits(useCase: string, text: string, nowMs: number): void {
    if (nowMs - (this.#saidMs.get(useCase) ?? Number.NEGATIVE_INFINITY) < LOG_AGAIN_MS) return
    if (this.#saidMs.size >= NAMES_MAX) this.#saidMs.clear()
    this.#saidMs.set(useCase, nowMs)
    this.#log.info({ useCase, limit: text }, 'roster: records wait for the rate limit')
  }
}
