interface Sample {
  readonly atMs: number
  readonly count: number
}

/** How fast a count grows, over the last few seconds. */
export class RateWindow {
  readonly #lengthMs: number
  readonly #samples: Sample[] = []

  constructor(lengthMs: number) {
    this.#lengthMs = lengthMs
  }

  add(atMs: number, count: number): void {
    this.#samples.push({ atMs, count })
    // The newest sample that is too old stays: the window reaches back to it.
    while (this.#samples.length > 2 && this.#samples[1]!.atMs <= atMs - this.#lengthMs) this.#samples.shift()
  }

  perSecond(): number {
    const first = this.#samples[0]
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined || last.atMs === first.atMs) return 0
    return ((last.count - first.count) / (last.atMs - first.atMs)) * 1000
  }
}
