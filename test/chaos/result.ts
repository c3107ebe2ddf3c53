/**
 * What Ferry promises of repeats under a fault: none; of answers only that got lost between the endpoint and Ferry; of what the log did not
 * have yet only; or as many as there are, counted, because state was lost.
 */
export type Repeats = 'NONE' | 'LOST_ANSWERS' | 'UNLOGGED' | 'COUNTED'

/** What the judge has counted, of one use case or several. */
export interface Counts {
  readonly records: number
  readonly requests: number
  readonly delivered: number
  readonly failed: number
  readonly skipped: number
  readonly superseded: number
  readonly missing: number
  /** Successful answers beyond a record's first. */
  readonly repeats: number
  /** Of them, those of which the log had the earlier success. */
  readonly repeatsOfLogged: number
  /** Requests that the log does not have: their worker died before its flush. */
  readonly lostRows: number
  /** What does not hold; empty when all promises were kept. */
  readonly problems: readonly string[]
}

/** One row of the table. */
export interface Result extends Counts {
  readonly scenario: string
  readonly fault: string
  readonly promised: Repeats
  readonly seed: number
  /** Unix ms. */
  readonly endedMs: number
  readonly seconds: number
}
