/** A pause that can be cut short; one sleeper at a time. */
export class Alarm {
  #ring: (() => void) | undefined

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.ring(), ms)
      this.#ring = () => {
        clearTimeout(timer)
        this.#ring = undefined
        resolve()
      }
    })
  }

  /** Ends the pause that is on; a later one is not touched. */
  ring(): void {
    this.#ring?.()
  }
}
