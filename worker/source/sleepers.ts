/** Waits of one kind that can be ended together. */
export class Sleepers {
  readonly #wakes = new Set<() => void>()
  #isClosed = false

  /** Resolves after so many milliseconds, or when somebody wakes it. */
  sleep(ms: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#wakes.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      this.#wakes.add(wake)
    })
  }

  wake(): void {
    for (const wake of this.#wakes) wake()
  }

  /** Nobody sleeps any more. */
  close(): void {
    this.#isClosed = true
    this.wake()
  }
}
