import type { Run } from '../../runtime/lane-keys.ts'

/**
 * What a takeover knows to have ended at or above the cursor: records that are not sent again when they are read.
 * In KEY order an end counts only while nothing earlier of its key is sent again.
 */
export class KnownEnds {
  readonly runs: readonly Run[]
  #at = 0
  /** Hashes of keys that are sent again although later ends of theirs are known. */
  readonly #reopened = new Set<number>()
  /** Offsets at or above are unknown. */
  readonly below: number

  constructor(ended: readonly Run[], offsets: Iterable<number>) {
    const all = [...ended, ...[...offsets].map((offset) => ({ first: offset, last: offset }))].sort((a, b) => a.first - b.first)
    const runs: Run[] = []
    for (const run of all) {
      const last = runs.at(-1)
      if (last !== undefined && run.first <= last.last + 1)
        runs[runs.length - 1] = { first: last.first, last: Math.max(last.last, run.last) }
      else runs.push(run)
    }
    this.runs = runs
    this.below = (runs.at(-1)?.last ?? -1) + 1
  }

  /** Asked in rising order of offsets, each once. keyHash below 0: no order. */
  ended(offset: number, keyHash: number): boolean {
    while (this.#at < this.runs.length && this.runs[this.#at]!.last < offset) this.#at++
    const run = this.runs[this.#at]
    const known = run !== undefined && run.first <= offset && !(keyHash >= 0 && this.#reopened.has(keyHash))
    if (!known && keyHash >= 0) this.#reopened.add(keyHash)
    return known
  }

  /** Something of this key waits or is sent again: its later ends do not count. */
  reopen(keyHash: number): void {
    this.#reopened.add(keyHash)
  }
}
