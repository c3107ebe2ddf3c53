import type { AttemptFilter } from '../../proto/gen/ferry/v1/delivery_service_pb.ts'
import type { Subject } from './subject.ts'

export interface Conditions {
  readonly sql: string
  readonly params: Readonly<Record<string, unknown>>
}

/** What selects attempts, but for the time, which the query walks through in pieces. */
export function attemptConditions(subject: Subject, filter: AttemptFilter | undefined): Conditions {
  const sql = ['uid = {uid: String}', "purpose = 'DELIVER'", "replay = ''"]
  const params: Record<string, unknown> = { uid: subject.uid }
  const add = (condition: string, values: Record<string, unknown>): void => {
    sql.push(condition)
    Object.assign(params, values)
  }
  if (!filter) return { sql: sql.join(' AND '), params }
  const { outcomes, statuses, reasons, key, partition, fromOffset, toOffset, text } = filter
  // The table's numbers of outcomes and reasons are the contract's.
  if (outcomes.length > 0) add("CAST(outcome, 'Int8') IN {outcomes: Array(Int8)}", { outcomes })
  if (statuses.length > 0) add('status IN {statuses: Array(UInt16)}', { statuses })
  if (reasons.length > 0) add("CAST(reason, 'Int8') IN {reasons: Array(Int8)}", { reasons })
  if (key !== '') add('key = {key: String}', { key })
  if (partition !== undefined) add('partition = {partition: UInt32}', { partition })
  if (fromOffset !== undefined) add('offset >= {fromOffset: UInt64}', { fromOffset: String(fromOffset) })
  if (toOffset !== undefined) add('offset < {toOffset: UInt64}', { toOffset: String(toOffset) })
  if (text !== '') add('(position(error, {text: String}) > 0 OR position(response_body, {text: String}) > 0)', { text })
  return { sql: sql.join(' AND '), params }
}
