import { Buckets, callSeconds } from './buckets.ts'

/** Calls to somebody else: how many were answered, how many failed, and how long they took. */
export class Calls {
  answered = 0
  failed = 0
  readonly seconds = new Buckets(callSeconds)

  /** startedMs: of performance.now(). */
  ended(startedMs: number, isAnswered: boolean): void {
    if (isAnswered) this.answered++
    else this.failed++
    this.seconds.observe((performance.now() - startedMs) / 1000)
  }

  /** Does the work, and counts how it ended. */
  async time<T>(work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now()
    let isAnswered = false
    try {
      const answer = await work()
      isAnswered = true
      return answer
    } finally {
      this.ended(startedMs, isAnswered)
    }
  }
}
