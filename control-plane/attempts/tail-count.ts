interface CountedWindow {
  readonly afterMs: number
  readonly toMs: number
  readonly total: number
}

/** Rows become visible within this time, or the insert that brings them has failed. */
const settledAfterMs = 60_000
const batchMs = 10_000

/** Remembers how many rows each window had when it was looked at, to find what became visible later. */
export class TailCount {
  readonly #windows: CountedWindow[] = []

  /** Answers what is to be counted once more, now that nothing comes any more, and how many rows of it are known. */
  add(window: CountedWindow): CountedWindow | undefined {
    this.#windows.push(window)
    const settled = this.#windows.findLastIndex(({ toMs }) => toMs <= window.toMs - settledAfterMs)
    const [first] = this.#windows
    if (settled < 0 || this.#windows[settled]!.toMs - first!.afterMs < batchMs) return undefined
    const batch = this.#windows.splice(0, settled + 1)
    return {
      afterMs: first!.afterMs,
      toMs: batch.at(-1)!.toMs,
      total: batch.reduce((sum, { total }) => sum + total, 0),
    }
  }
}
