import type { RetryFilter } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { timeMs } from '../attempts/offset-filter.ts'
import { rankSql } from '../attempts/outcome-rule.ts'
import { type Subject, subjectParams, subjectSql } from '../attempts/subject.ts'

/** Which deliveries a batch means: those that were FAILED at a time, by the row that made them so. */
export interface Selection {
  readonly subject: Subject
  readonly filter: RetryFilter | undefined
  /** Rows that ended later do not count, Unix ms. */
  readonly asOfMs: number
  /** Id of the batch: rows that it made itself do not count either, whatever the clock of the worker says that wrote them. */
  readonly batch: string | undefined
  /** How many deliveries of each partition, those of the lowest offsets. Undefined: all. */
  readonly budgets?: Budgets | undefined
}

/** By partition; one that is not named has none. */
export type Budgets = Readonly<Record<string, number>>

export interface SelectionSql {
  /**
   * A row per selected delivery: partition, offset, selected_round, selected_ms, key_hash; `now`, what became of it since
   * ('', DELIVERED, FAILED, SKIPPED, SUPERSEDED), and `now_reason`.
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
  const { sql, params } = wholeSql(selection, part)
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
  const params: Record<string, unknown> = { ...subjectParams(subject), asOfMs, ...(batch === undefined ? {} : { batch }) }
  const place = placeConditions(filter, part, params)
  const row = rowConditions(filter, params)({ status: 'status', reason: "CAST(reason, 'Int8')", ms: msSql, text: 'text' })
  return { sql: [subjectSql, ...place, "outcome = 'FAILED'", countingSql(selection), ...row].join(' AND '), params }
}

/** Rows that count for what is selected. */
const countingSql = ({ batch }: Selection): string => (batch === undefined ? earlySql : `${earlySql} AND ${othersSql}`)

function wholeSql(selection: Selection, part: LanePart | undefined): SelectionSql {
  const failed = failedRowsSql(selection, part)
  const params: Record<string, unknown> = { ...failed.params }
  const place = placeConditions(selection.filter, part, params)
  const row = { status: 'selected_row.3', reason: 'selected_row.2', ms: 'selected_row.4', text: 'selected_row.5' }
  const selected = ['delivered_before = 0', "selected_row.1 = 'FAILED'", ...rowConditions(selection.filter, params)(row)]
  const sql = `SELECT partition, offset, selected_row.7 AS selected_round, selected_row.4 AS selected_ms, selected_row.6 AS key_hash,
      multiIf(delivered_ever > 0, 'DELIVERED', last_rank > selected_rank, last_row.1, '') AS now, last_row.2 AS now_reason
    FROM (
      SELECT partition, offset, maxIf(rank, early) AS selected_rank, max(rank) AS last_rank,
        argMaxIf((toString(outcome), CAST(reason, 'Int8'), status, ${msSql}, text, key_hash, round), rank, early) AS selected_row,
        argMax((toString(outcome), toString(reason)), rank) AS last_row,
        countIf(outcome = 'DELIVERED' AND early) AS delivered_before, countIf(outcome = 'DELIVERED') AS delivered_ever
      FROM (
        SELECT partition, offset, outcome, reason, status, end_time, text, key_hash, round, ${rankSql} AS rank,
          ${countingSql(selection)} AS early
        FROM outcomes
        WHERE ${[subjectSql, ...place].join(' AND ')}
          AND (partition, offset) IN (SELECT partition, offset FROM outcomes WHERE ${failed.sql})
      )
      GROUP BY partition, offset
      HAVING ${selected.join(' AND ')}
    )`
  return { sql, params }
}

const msSql = 'toUnixTimestamp64Milli(end_time)'

/** Which offsets; the same for all rows of a delivery. */
function placeConditions(filter: RetryFilter | undefined, part: LanePart | undefined, params: Record<string, unknown>): string[] {
  const conditions: string[] = []
  const add = (condition: string, values: Record<string, unknown>): void => {
    conditions.push(condition)
    Object.assign(params, values)
  }
  const { partition, fromOffset, toOffset } = filter ?? {}
  if (partition !== undefined) add('partition = {partition: UInt32}', { partition })
  if (fromOffset !== undefined) add('offset >= {fromOffset: UInt64}', { fromOffset: String(fromOffset) })
  if (toOffset !== undefined) add('offset < {toOffset: UInt64}', { toOffset: String(toOffset) })
  if (part)
    add('partition = {lane: UInt32} AND offset > {above: Int64} AND offset <= {upTo: Int64}', {
      ...{ lane: part.partition, above: part.above, upTo: part.upTo },
    })
  return conditions
}

/** Which rows, in the words of a table or of a tuple. */
function rowConditions(filter: RetryFilter | undefined, params: Record<string, unknown>) {
  if (filter?.statuses.length) params['statuses'] = filter.statuses
  if (filter?.reasons.length) params['reasons'] = filter.reasons
  if (filter?.fromTime) params['fromMs'] = timeMs(filter.fromTime)
  if (filter?.toTime) params['toMs'] = timeMs(filter.toTime)
  if (filter?.text) params['text'] = filter.text
  return (of: { readonly status: string; readonly reason: string; readonly ms: string; readonly text: string }): string[] => [
    ...(filter?.statuses.length ? [`${of.status} IN {statuses: Array(UInt16)}`] : []),
    // The table's numbers of reasons are the contract's.
    ...(filter?.reasons.length ? [`${of.reason} IN {reasons: Array(Int8)}`] : []),
    ...(filter?.fromTime ? [`${of.ms} >= {fromMs: Int64}`] : []),
    ...(filter?.toTime ? [`${of.ms} < {toMs: Int64}`] : []),
    ...(filter?.text ? [`position(${of.text}, {text: String}) > 0`] : []),
  ]
}
