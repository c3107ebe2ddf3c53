/** So long an idle time is made up for: what could have been sent in it may go at once. */
export const CREDIT_MS = 100

/**
 * So much in a second, as a token bucket that may go into debt: something may start while nothing is owed, whatever it costs, and
 * the next when that is paid for. In any T ms at most rate * (T + CREDIT_MS) is spent, and what one start costs. A new one has no
 * credit. Times are ms of one clock; where it goes back nothing is earned.
 */
export class Allowance {
  /** What may be spent at `#atMs`; below 0 it is owed. */
  #level: number
  #atMs: number
  #perMs: number

  /** `owed`: paid for before the first start. */
  constructor(perSecond: number, nowMs: number, owed: number) {
    this.#perMs = perSecond / 1000
    this.#atMs = nowMs
    this.#level = -owed
  }

  /** From now on; what is owed stays owed. 0 lets nothing start. */
  setRate(perSecond: number, nowMs: number): void {
    this.#earn(nowMs)
    this.#perMs = perSecond / 1000
    this.#level = Math.min(this.#level, this.#perMs * CREDIT_MS)
  }

  mayStart(nowMs: number): boolean {
    this.#earn(nowMs)
    return this.#level >= 0 && this.#perMs > 0
  }

  /** Something has started; ask mayStart first. */
  spend(amount: number, nowMs: number): void {
    this.#earn(nowMs)
    this.#level -= amount
  }

  #earn(nowMs: number): void {
    if (nowMs <= this.#atMs) return
    this.#level = Math.min(this.#level + (nowMs - this.#atMs) * this.#perMs, this.#perMs * CREDIT_MS)
    this.#atMs = nowMs
  }
}
