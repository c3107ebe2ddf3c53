import { Outcome, Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { Run } from '../../runtime/lane-keys.ts'
import type { LogReader, ReadLimits } from './log-reader.ts'
import type { Slice } from './offset-slices.ts'
import { decisionSql } from './outcome-rule.ts'
import type { OutcomeRun, RangeRun } from './range-counts.ts'
import { type Subject, subjectParams, subjectSql } from './subject.ts'

/** What the log has about one slice. */
export interface SliceFacts {
  readonly outcomes: OutcomeRun[]
  readonly ranges: RangeRun[]
}

const narrow = 'Ask for fewer partitions or offsets in one call'

const boundsSql = `partition IN {partitions: Array(UInt32)} AND offset >= {lowest: UInt64} AND offset < {highest: UInt64}
  AND offset >= transform(partition, {partitions: Array(UInt32)}, {froms: Array(UInt64)}, toUInt64(0))
  AND offset < transform(partition, {partitions: Array(UInt32)}, {tos: Array(UInt64)}, toUInt64(0))`

/** Offsets that follow each other and have the same outcome and reason become one row: a million deliveries are usually a few. */
const runsSql = `SELECT partition, decision, min(offset) AS first, max(offset) AS last, sum(again) AS repeated
  FROM (
    SELECT partition, offset, decision, again,
      offset - row_number() OVER (PARTITION BY partition, decision ORDER BY offset) AS island
    FROM (
      SELECT partition, offset, ${decisionSql} AS decision,
        greatest(uniqExactIf((round, epoch, attempt), outcome = 'DELIVERED'), 1) - 1 AS again
      FROM outcomes WHERE ${subjectSql} AND ${boundsSql} GROUP BY partition, offset
    )
  )
  GROUP BY partition, decision, island ORDER BY partition, first`

// The runs of a row rise: so rows that are all below or all above are left out before their runs are looked at.
const rangesSql = `SELECT DISTINCT partition, toString(kind) AS kind, reason, run.1 AS first, run.2 AS last
  FROM ranges ARRAY JOIN runs AS run
  WHERE ${subjectSql} AND partition IN {partitions: Array(UInt32)} AND runs[-1].2 >= {lowest: UInt64} AND runs[1].1 < {highest: UInt64}
    AND run.2 >= {lowest: UInt64} AND run.1 < {highest: UInt64}`

const startsSql = `SELECT partition, max(run.2) + 1 AS start FROM ranges ARRAY JOIN runs AS run
  WHERE ${subjectSql} AND kind = 'BEFORE_START' GROUP BY partition`

const namesOf = (values: Readonly<Record<string, number>>) =>
  new Map(Object.entries(values).map(([name, value]) => [value, name] as const))
const outcomeNames = namesOf(Outcome)
const reasonNames = namesOf(Reason)

const freshSql = `SELECT partition, min(offset) AS first FROM outcomes
  WHERE ${subjectSql} AND partition IN {partitions: Array(UInt32)} AND record_time >= fromUnixTimestamp64Milli({sinceMs: Int64})
  GROUP BY partition`

// Grouped rather than uniqExact, because a grouping may go to disk.
const attemptsSql = `SELECT partition, count() AS attempts FROM (
    SELECT partition FROM attempts
    WHERE uid = {uid: String} AND purpose = 'DELIVER' AND replay = '' AND ${boundsSql}
    GROUP BY partition, offset, round, epoch, attempt
  ) GROUP BY partition`

/**
 * The first 8 bytes of each key's SHA-256 as a number, added up; sums of UInt64 wrap around at 2^64. What ended without a request has its key
 * only where it has one at all.
 */
const keysSql = `SELECT count() AS records, toString(sum(reinterpretAsUInt64(reverse(substring(SHA256(record_key), 1, 8))))) AS checksum
  FROM (
    SELECT partition, offset, max(key) AS record_key FROM attempts
    WHERE uid = {uid: String} AND purpose = 'DELIVER' AND replay = '' AND ${boundsSql} AND (attempt > 0 OR key != '')
    GROUP BY partition, offset
  )`

/** Offsets that have no attempt, outcomes and attempts of ranges, as the log has them. */
export class RangeLog {
  readonly #log: LogReader
  readonly #subject: Subject
  readonly #limits: ReadLimits

  constructor(log: LogReader, subject: Subject, limits: ReadLimits) {
    this.#log = log
    this.#subject = subject
    this.#limits = limits
  }

  /** By partition, where the use case started; partitions that started at 0 may be left out. */
  async starts(): Promise<Map<number, number>> {
    const rows = await this.#select<{ partition: number; start: number }>(startsSql, [])
    return new Map(rows.map(({ partition, start }) => [partition, start]))
  }

  /** By partition. The slices must be of different partitions. */
  async facts(slices: readonly Slice[]): Promise<Map<number, SliceFacts>> {
    const facts = new Map(slices.map(({ partition }) => [partition, { outcomes: [], ranges: [] } as SliceFacts]))
    const [runs, ranges] = await Promise.all([
      this.#select<Run & { partition: number; decision: number; repeated: number }>(runsSql, slices),
      this.#select<RangeRun & { partition: number }>(rangesSql, slices),
    ])
    for (const { partition, decision, ...run } of runs) {
      const outcome = outcomeNames.get(decision >> 8) as OutcomeRun['outcome']
      // A newer worker may have a reason that this release has no name for.
      facts.get(partition)!.outcomes.push({ ...run, outcome, reason: reasonNames.get(decision & 255) ?? 'UNSPECIFIED' })
    }
    for (const { partition, ...run } of ranges) facts.get(partition)!.ranges.push(run)
    return facts
  }

  /** By partition, the lowest offset of which the log has an outcome and whose record has a time of `sinceMs` (Unix) or later. */
  async firstSince(partitions: readonly number[], sinceMs: number): Promise<Map<number, number>> {
    const slices = partitions.map((partition) => ({ partition, from: 0, to: 0 }))
    const rows = await this.#select<{ partition: number; first: number }>(freshSql, slices, { sinceMs })
    return new Map(rows.map(({ partition, first }) => [partition, first]))
  }

  /** By partition: distinct attempts. Rows that have expired count until ClickHouse drops them. */
  async attempts(slices: readonly Slice[]): Promise<Map<number, number>> {
    const rows = await this.#select<{ partition: number; attempts: number }>(attemptsSql, slices)
    return new Map(rows.map(({ partition, attempts }) => [partition, attempts]))
  }

  /** Records whose keys the log has, and the sum over them, modulo 2^64. */
  async keys(slices: readonly Slice[]): Promise<{ readonly records: number; readonly checksum: bigint }> {
    const [row] = await this.#select<{ records: number; checksum: string }>(keysSql, slices)
    return { records: row!.records, checksum: BigInt(row!.checksum) }
  }

  #select<Row>(sql: string, slices: readonly Slice[], more: Readonly<Record<string, number>> = {}): Promise<Row[]> {
    const params = {
      ...more,
      ...subjectParams(this.#subject),
      partitions: slices.map((slice) => slice.partition),
      froms: slices.map((slice) => slice.from),
      tos: slices.map((slice) => slice.to),
      lowest: Math.min(...slices.map((slice) => slice.from)),
      highest: Math.max(...slices.map((slice) => slice.to)),
    }
    return this.#log.select<Row>({
      sql,
      params: slices.length > 0 ? params : subjectParams(this.#subject),
      narrow,
      limits: this.#limits,
    })
  }
}
