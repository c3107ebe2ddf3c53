interface Mark {
  /** Rows that had been added by then. */
  readonly added: number
  atMs: number
}

/**
 * Since when rows may not be durable: what a takeover need not look for in the log lies before. Rows become durable in the order in
 * which they were added, so counting is enough; the time is told to within the time between two questions. Times are Unix ms.
 */
export class RowBacklog {
  /** All rows that were added before are durable. */
  sinceMs = 0
  /** Questions whose answer was not yet `nowMs`, oldest first: no more of them than rows. */
  readonly marks: Mark[] = []
  #added = 0
  #durable = 0

  add(): void {
    this.#added++
  }

  /** The oldest row is durable. */
  remove(): void {
    this.#durable++
  }

  /** Rows that are not durable when `mark` was made, and are not yet. */
  openAt(mark: Mark): number {
    return mark.added - this.#durable
  }

  /** Everything added before the answered time is durable. To be asked about once a second. */
  ask(nowMs: number): number {
    const last = this.marks.at(-1)
    if (last?.added === this.#added) last.atMs = nowMs
    else this.marks.push({ added: this.#added, atMs: nowMs })
    while (this.marks.length > 0 && this.marks[0]!.added <= this.#durable) this.sinceMs = this.marks.shift()!.atMs
    // The clock may have been set back.
    this.sinceMs = Math.min(this.sinceMs, nowMs)
    return this.sinceMs
  }
}
