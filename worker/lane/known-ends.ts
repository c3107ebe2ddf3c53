import type { Run } from '../../runtime/lane-keys.ts'

/**
 * What has ended at or above the cursor before its record is read: it is not sent again when it comes. Told by the last
 * checkpoint, found in the log at takeover, or a parked delivery that this owner has ended itself.
 * In KEY order an end counts only while nothing earlier of its key is sent again.
 */
export class KnownEnds {
  readonly #runs: readonly Run[]
  /** Those that a checkpoint may repeat although their records are not read yet. */
  readonly #told: readonly Run[]
  readonly #own = new Set<number>()
  #at = 0
  /** Hashes of keys that are sent again although later ends of theirs are known. */
  readonly #reopened = new Set<number>()
  /** Offsets at or above are unknown. */
  below: number

  /** What the log found is told on only when it needs no key to count. */
  constructor(told: readonly Run[], found: Iterable<number>, ordered: boolean) {
    this.#runs = mergeRuns([...told, ...singles(found)])
    this.#told = ordered ? mergeRuns(told) : this.#runs
    this.below = (this.#runs.at(-1)?.last ?? -1) + 1
  }

  /** Asked in rising order of offsets, each once or several times in a row. keyHash below 0: no order. */
  ended(offset: number, keyHash: number): boolean {
    while (this.#at < this.#runs.length && this.#runs[this.#at]!.last < offset) this.#at++
    const run = this.#runs[this.#at]
    const isReopened = keyHash >= 0 && this.#reopened.has(keyHash)
    if (this.#own.has(offset) || (run !== undefined && run.first <= offset && !isReopened)) return true
    if (keyHash >= 0) this.#reopened.add(keyHash)
    return false
  }

  /** Something of this key waits or is sent again: its later ends do not count. */
  reopen(keyHash: number): void {
    this.#reopened.add(keyHash)
  }

  /** A parked delivery has ended, its rows are durable, and its record is not read yet. */
  add(offset: number): void {
    this.#own.add(offset)
    this.below = Math.max(this.below, offset + 1)
  }

  /** The records below have been read. */
  forgetBelow(offset: number): void {
    for (const own of this.#own) if (own < offset) this.#own.delete(own)
  }

  /** What a checkpoint may say of the offsets from `next` on. */
  unread(next: number): Run[] {
    const later = this.#told
      .filter((run) => run.last >= next)
      .map((run) => ({ first: Math.max(run.first, next), last: run.last }))
    const own = singles([...this.#own].filter((offset) => offset >= next))
    return own.length === 0 ? later : mergeRuns([...later, ...own])
  }
}

const singles = (offsets: Iterable<number>): Run[] => [...offsets].map((offset) => ({ first: offset, last: offset }))

/** In rising order, with what touches or overlaps made one. */
function mergeRuns(given: readonly Run[]): Run[] {
  const runs: Run[] = []
  for (const run of [...given].sort((a, b) => a.first - b.first)) {
    const last = runs.at(-1)
    if (last !== undefined && run.first <= last.last + 1)
      runs[runs.length - 1] = { first: last.first, last: Math.max(last.last, run.last) }
    else runs.push({ first: run.first, last: run.last })
  }
  return runs
}
