import type { Run } from '../../runtime/lane-keys.ts'

/** An end that the log has: the newest epoch that gave it, and the newest that sent the record. */
export interface FoundEnd {
  readonly epoch: number
  readonly sentEpoch: number
}

/**
 * What has ended at or above the cursor before its record is read: it is not sent again when it comes. Told by the last
 * checkpoint, found in the log at takeover, or a parked delivery that this owner has ended itself.
 *
 * In KEY order an end counts only while nothing earlier of its key is sent again, and when no earlier record of its key was
 * sent by a newer epoch: that one came after it, so it was not the key's last word.
 */
export class KnownEnds {
  readonly #runs: readonly Run[]
  /** Those that a checkpoint may repeat although their records are not read yet. */
  readonly #told: readonly Run[]
  readonly #found: ReadonlyMap<number, FoundEnd>
  readonly #own = new Set<number>()
  #at = 0
  /** By key hash: the newest epoch that sent a record of it so far; Infinity when one is sent again. */
  readonly #newest = new Map<number, number>()
  readonly #oldestEpoch: number
  /** Offsets at or above are unknown. */
  below: number

  /** found: by offset. In KEY order it is told on only when its record is read, and its key is known. */
  constructor(told: readonly Run[], found: ReadonlyMap<number, FoundEnd>, ordered: boolean) {
    this.#runs = mergeRuns([...told, ...singles(found.keys())])
    this.#told = ordered ? mergeRuns(told) : this.#runs
    this.#found = found
    let oldest = Number.POSITIVE_INFINITY
    for (const { epoch } of found.values()) oldest = Math.min(oldest, epoch)
    this.#oldestEpoch = oldest
    this.below = (this.#runs.at(-1)?.last ?? -1) + 1
  }

  /** Whether anybody has said that the offset has ended. Asked in rising order of offsets. */
  knows(offset: number): boolean {
    return this.#isInRun(offset) || this.#own.has(offset)
  }

  /** Asked in rising order of offsets, each once or several times in a row. keyHash below 0: no order. */
  ended(offset: number, keyHash: number): boolean {
    if (keyHash < 0) return this.knows(offset)
    const isKnown = this.#isInRun(offset)
    const found = this.#found.get(offset)
    const newest = this.#newest.get(keyHash) ?? 0
    if (!isKnown || newest === Number.POSITIVE_INFINITY || (found !== undefined && found.epoch < newest)) {
      this.reopen(keyHash)
      return false
    }
    // Nearly always there is one epoch only, and nothing to remember.
    if (found !== undefined && found.sentEpoch > this.#oldestEpoch) this.#newest.set(keyHash, Math.max(newest, found.sentEpoch))
    return true
  }

  #isInRun(offset: number): boolean {
    while (this.#at < this.#runs.length && this.#runs[this.#at]!.last < offset) this.#at++
    const run = this.#runs[this.#at]
    return run !== undefined && run.first <= offset
  }

  /** Something of this key waits or is sent again: its later ends do not count. */
  reopen(keyHash: number): void {
    this.#newest.set(keyHash, Number.POSITIVE_INFINITY)
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
