import type { Labels } from './metrics.ts'

/** The labels of a series by use case, and what bounds their values. */
export const useCaseLabels = {
  namespace: "the use case's",
  use_case: 'at most `FERRY_METRICS_USE_CASES_MAX`, and `other`',
} as const

/** No namespace is empty, so this is no use case's. */
const OTHER: Labels = { namespace: '', use_case: 'other' }

export interface UseCaseEntry<T> {
  readonly labels: Labels
  readonly value: T
}

/**
 * A value for each use case: the first so many have labels of their own, all others share one. One that is no longer used keeps its
 * place, and its numbers, until another needs it.
 */
export class UseCaseSeries<T> {
  readonly #namedMax: number
  readonly #create: () => T
  readonly #entries = new Map<string, UseCaseEntry<T>>()
  readonly #other: UseCaseEntry<T>
  #named = 0
  #hasOthers = false

  constructor(namedMax: number, create: () => T) {
    this.#namedMax = namedMax
    this.#create = create
    this.#other = { labels: OTHER, value: create() }
  }

  of(uid: string, namespace: string, id: string): UseCaseEntry<T> {
    return this.#entries.get(uid) ?? this.#place(uid, namespace, id)
  }

  #place(uid: string, namespace: string, id: string): UseCaseEntry<T> {
    const isNamed = this.#named < this.#namedMax
    const entry = isNamed ? { labels: { namespace, use_case: id }, value: this.#create() } : this.#other
    if (isNamed) this.#named++
    else this.#hasOthers = true
    this.#entries.set(uid, entry)
    return entry
  }

  /** Places of use cases that are no longer used go to those that have none, if there are any. Called now and then. */
  tidy(isUsed: (uid: string) => boolean): void {
    if (!this.#hasOthers) return
    for (const [uid, entry] of this.#entries) {
      if (entry !== this.#other && isUsed(uid)) continue
      this.#entries.delete(uid)
      if (entry !== this.#other) this.#named--
    }
  }

  /** Every value with its labels. */
  *values(): Generator<readonly [Labels, T]> {
    for (const entry of this.#entries.values()) if (entry !== this.#other) yield [entry.labels, entry.value]
    if (this.#hasOthers) yield [this.#other.labels, this.#other.value]
  }
}

/** One number for each labels: those that share them are joined. */
export function foldLabels<T>(
  all: Iterable<T>,
  labelsOf: (each: T) => Labels,
  numberOf: (each: T) => number,
  join: (a: number, b: number) => number = (a, b) => a + b,
): Map<Labels, number> {
  const folded = new Map<Labels, number>()
  for (const each of all) {
    const labels = labelsOf(each)
    const before = folded.get(labels)
    folded.set(labels, before === undefined ? numberOf(each) : join(before, numberOf(each)))
  }
  return folded
}
