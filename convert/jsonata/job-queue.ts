/** One evaluation that is waited for. */
export interface Job {
  /** JSON. */
  readonly text: string
  readonly done: (text: string) => void
  readonly failed: (error: Error) => void
  /** Times that the process died, or did not answer, while it had this one alone. */
  deaths: number
  /** It was on its way when the process died: who was to blame shows when each goes alone. */
  isSuspect: boolean
}

export interface Batch {
  readonly expression: string
  readonly jobs: readonly Job[]
}

interface Waiting {
  readonly jobs: Job[]
  spentMs: number
}

/** Jobs by expression: each expression gets the same time, however long its evaluations take and however many wait. */
export class JobQueue {
  readonly #waiting = new Map<string, Waiting>()
  readonly #batchMax: number
  readonly #batchCharsMax: number
  /** What the expression that went last had spent: one that comes anew begins here. */
  #floorMs = 0

  constructor(batchMax: number, batchCharsMax: number) {
    this.#batchMax = batchMax
    this.#batchCharsMax = batchCharsMax
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  add(expression: string, job: Job): void {
    this.#of(expression).jobs.push(job)
  }

  /** Before all others of the expression. */
  putBack({ expression }: Batch, jobs: readonly Job[]): void {
    if (jobs.length > 0) this.#of(expression).jobs.unshift(...jobs)
  }

  /** The next ones, of the expression that has had the least time; a suspect goes alone. */
  take(): Batch | undefined {
    let least: [string, Waiting] | undefined
    for (const each of this.#waiting) if (least === undefined || each[1].spentMs < least[1].spentMs) least = each
    if (least === undefined) return undefined
    const [expression, { jobs, spentMs }] = least
    this.#floorMs = Math.max(this.#floorMs, spentMs)
    let count = 1
    let chars = jobs[0]!.text.length
    while (count < jobs.length && count < this.#batchMax && !jobs[0]!.isSuspect && !jobs[count]!.isSuspect) {
      chars += jobs[count]!.text.length
      if (chars > this.#batchCharsMax) break
      count++
    }
    const taken = jobs.splice(0, count)
    if (jobs.length === 0) this.#waiting.delete(expression)
    return { expression, jobs: taken }
  }

  /** The expression has had so much time. */
  spend(expression: string, ms: number): void {
    const waiting = this.#waiting.get(expression)
    if (waiting !== undefined) waiting.spentMs += ms
  }

  #of(expression: string): Waiting {
    const known = this.#waiting.get(expression)
    if (known !== undefined) return known
    const waiting = { jobs: [], spentMs: this.#floorMs }
    this.#waiting.set(expression, waiting)
    return waiting
  }
}
