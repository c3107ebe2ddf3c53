import type { RetryFilter } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { endMsSql, type OutcomeWords, outcomeConditions, tableWords } from '../attempts/outcome-conditions.ts'
import { rankSql } from '../attempts/outcome-rule.ts'
import { type Subject, subjectParams, subjectSql } from '../attempts/subject.ts'
import { givenRuns, offsetsSql, type PartitionRun } from './given-offsets.ts'

/** Which deliveries a batch means: those that were FAILED at a time, by the row that made them so, and given ones that are missing. */
export interface Selection {
  readonly subject: Subject
  readonly filter: RetryFilter | undefined
  /** Rows that ended later do not count, Unix ms. */
  readonly asOfMs: number
  /** Id of the batch: rows that it made itself do not count either, whatever the clock of the worker says that wrote them. */
  readonly batch: string | undefined
  /** How many deliveries of each partition, those of the lowest offsets. Undefined: all. */
  readonly budgets?: Budgets | undefined
  /** Offsets of which nothing is known, as they were found when the batch was made. */
  readonly missing?: readonly PartitionRun[] | undefined
}

/** By partition; one that is not named has none. */
export type Budgets = Readonly<Record<string, number>>

export interface SelectionSql {
  /**
   * A row per selected delivery: partition, offset, selected_round, selected_ms (0: it is missing), key_hash; `now`, what became of it
   * since ('', DELIVERED, FAILED, SKIPPED, SUPERSEDED), and of the row that says so, or of the selected one, now_reason, now_round, now_status,
   * now_ms and now_text.
   */
  readonly sql: string
  readonly params: Readonly<Record<string, unknown>>
}

/** Keeps a selection to one lane, above an offset and up to another one. */
export interface LanePart {
  readonly partition: number
  readonly above: number
  readonly upTo: number
}

const earlySql = "end_time <= fromUnixTimestamp64Milli({asOfMs: Int64}, 'UTC')"
const othersSql = 'retry_batch != {batch: String}'

/**
 * The rule "DELIVERED if any row says so, else the highest (round, epoch, attempt)", twice for each delivery that has failed at
 * least once: by the rows that count, which selects it, and by all rows, which says what became of it. It is done when a row above
 * the selected one ended it, or any row delivered it. With a part, budgets are not looked at: they are counted over whole lanes.
 */
export function selectionSql(selection: Selection, part?: LanePart): SelectionSql {
  const failed = wholeSql(selection, part)
  const missing = missingSql(selection, part)
  const params = { ...failed.params, ...missing?.params }
  const sql = missing ? `${failed.sql} UNION ALL ${missing.sql}` : failed.sql
  const { budgets } = selection
  if (!budgets || part) return { sql, params }
  const placed = `SELECT *, row_number() OVER (PARTITION BY partition ORDER BY offset) AS place FROM (${sql})`
  const within = 'place <= transform(partition, {budgetLanes: Array(UInt32)}, {budgets: Array(UInt64)}, toUInt64(0))'
  return {
    sql: `SELECT * EXCEPT place FROM (${placed}) WHERE ${within}`,
    params: { ...params, budgetLanes: Object.keys(budgets).map(Number), budgets: Object.values(budgets) },
  }
}

/** Rows that may have made a delivery of the selection FAILED: a condition on `outcomes`. */
export function failedRowsSql(selection: Selection, part?: LanePart): SelectionSql {
  const { subject, filter, asOfMs, batch } = selection
  const { place, row, params } = conditionsOf(filter, part)
  const given = givenRuns(filter)
  const named = given ? offsetsSql('given', given, part) : undefined
  const among = named ? `(partition, offset) IN (${named.sql})` : 'true'
  const failed = ["outcome = 'FAILED'", countingSql(selection), row({ ...tableWords, group: 'failure_group' })]
  return {
    sql: [subjectSql, place, among, ...failed].join(' AND '),
    params: { ...subjectParams(subject), asOfMs, ...params, ...named?.params, ...(batch === undefined ? {} : { batch }) },
  }
}

/** Offsets that may be of the selection, as rows (partition, offset), each at least once. */
export function candidatesSql(selection: Selection, part?: LanePart): SelectionSql {
  const failed = failedRowsSql(selection, part)
  const sql = `SELECT partition, offset FROM outcomes WHERE ${failed.sql}`
  if (!selection.missing?.length) return { sql, params: failed.params }
  const missing = offsetsSql('missing', selection.missing, part)
  return { sql: `${sql} UNION ALL ${missing.sql}`, params: { ...failed.params, ...missing.params } }
}

/** Rows that count for what is selected. */
const countingSql = ({ batch }: Selection): string => (batch === undefined ? earlySql : `${earlySql} AND ${othersSql}`)

function wholeSql(selection: Selection, part: LanePart | undefined): SelectionSql {
  const failed = failedRowsSql(selection, part)
  const { place, row } = conditionsOf(selection.filter, part)
  // Made of several columns for each row.
  const cause = selection.filter?.failureGroup ? 'failure_group' : "''"
  const words = { status: 'selected_row.3', reason: 'selected_row.2', ms: 'selected_row.4', text: 'selected_row.5' }
  const selected = ['delivered_before = 0', "selected_row.1 = 'FAILED'", row({ ...words, group: 'selected_row.8' })]
  const sql = `SELECT partition, offset, selected_row.7 AS selected_round, selected_row.4 AS selected_ms, selected_row.6 AS key_hash,
      multiIf(delivered_ever > 0, 'DELIVERED', last_rank > selected_rank, last_row.1, '') AS now, ${shownSql}
    FROM (
      SELECT partition, offset, maxIf(rank, early) AS selected_rank, max(rank) AS last_rank,
        argMaxIf((toString(outcome), CAST(reason, 'Int8'), status, ${endMsSql}, text, key_hash, round, cause), rank, early) AS selected_row,
        ${lastSql}, countIf(outcome = 'DELIVERED' AND early) AS delivered_before
      FROM (
        SELECT ${rowSql}, ${cause} AS cause, ${rankSql} AS rank, ${countingSql(selection)} AS early
        FROM outcomes
        WHERE ${subjectSql} AND ${place}
          AND (partition, offset) IN (SELECT partition, offset FROM outcomes WHERE ${failed.sql})
      )
      GROUP BY partition, offset
      HAVING ${selected.join(' AND ')}
    )`
  return { sql, params: failed.params }
}

/** Of what nothing is known any row is the end; one that counts shows that it was not missing. */
function missingSql(selection: Selection, part: LanePart | undefined): SelectionSql | undefined {
  if (!selection.missing?.length) return undefined
  const { sql, params } = offsetsSql('missing', selection.missing, part)
  return {
    sql: `SELECT partition, offset, toUInt32(0) AS selected_round, toInt64(0) AS selected_ms, toUInt64(0) AS key_hash,
        multiIf(delivered_ever > 0, 'DELIVERED', rows > 0, last_row.1, '') AS now, ${shownSql}
      FROM (${sql}) AS named
      LEFT JOIN (
        SELECT partition, offset, count() AS rows, countIf(early) AS early_rows, ${lastSql}
        FROM (
          SELECT ${rowSql}, ${rankSql} AS rank, ${countingSql(selection)} AS early
          FROM outcomes WHERE ${subjectSql} AND (partition, offset) IN (${sql})
        ) GROUP BY partition, offset
      ) AS known USING (partition, offset)
      WHERE early_rows = 0`,
    params,
  }
}

const rowSql = 'partition, offset, outcome, reason, status, end_time, text, key_hash, round'

const lastRowSql = `(toString(outcome), toString(reason), round, status, ${endMsSql}, text)`
const lastSql = `argMax(${lastRowSql}, rank) AS last_row, argMaxIf(${lastRowSql}, rank, outcome = 'DELIVERED') AS delivered_row,
        countIf(outcome = 'DELIVERED') AS delivered_ever`
const shownSql = `if(delivered_ever > 0, delivered_row, last_row) AS shown, shown.2 AS now_reason, shown.3 AS now_round,
      shown.4 AS now_status, shown.5 AS now_ms, shown.6 AS now_text`

/** A lane's part of them. */
const partSql = 'partition = {lane: UInt32} AND offset > {above: Int64} AND offset <= {upTo: Int64}'

const partParams = (part: LanePart | undefined): Record<string, unknown> =>
  part ? { lane: part.partition, above: part.above, upTo: part.upTo } : {}

/** What the filter asks for, in the words of a table or of a tuple. */
function conditionsOf(filter: RetryFilter | undefined, part: LanePart | undefined) {
  const { place, row, params } = outcomeConditions(filter)
  const group = filter?.failureGroup ?? ''
  return {
    place: part ? `${place} AND ${partSql}` : place,
    row: (words: OutcomeWords & { readonly group: string }): string =>
      group === '' ? row(words) : `${row(words)} AND ${words.group} = {failureGroup: String}`,
    params: { ...params, ...partParams(part), ...(group === '' ? {} : { failureGroup: group }) },
  }
}
