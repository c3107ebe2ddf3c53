/** What one evaluation of a filter may take: it runs between the requests of all use cases. */
export interface FilterLimits {
  /** Rounds of its loops (all, exists, exists_one, map, filter), inner ones included. */
  readonly stepsMax: number
  /** Time for its loops. */
  readonly timeoutMs: number
  /** Characters of a text that it puts together. */
  readonly textCharsMax: number
}

export const defaultFilterLimits: FilterLimits = { stepsMax: 100_000, timeoutMs: 20, textCharsMax: 1 << 20 }
