import type { AttemptFilter } from '../../proto/gen/ferry/v1/attempt_filter_pb.ts'
import { Purpose } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { batchIdIn } from './batch-filter.ts'
import { type Subject, subjectSql } from './subject.ts'

export interface Conditions {
  readonly sql: string
  readonly params: Readonly<Record<string, unknown>>
}

/** What selects attempts, but for the time, which the query walks through in pieces. */
export function attemptConditions(subject: Subject, filter: AttemptFilter | undefined): Conditions {
  const sql = ['uid = {uid: String}', "CAST(purpose, 'Int8') IN {purposes: Array(Int8)}"]
  const purposes = filter?.purposes.length ? filter.purposes : [Purpose.DELIVER]
  const params: Record<string, unknown> = { uid: subject.uid, purposes }
  const add = (condition: string, values: Record<string, unknown>): void => {
    sql.push(condition)
    Object.assign(params, values)
  }
  if (!filter) return { sql: sql.join(' AND '), params }
  const { outcomes, statuses, reasons, key, partition, fromOffset, toOffset, text } = filter
  const { triggers, retryBatch, worker, failureGroup } = filter
  // The table's numbers of outcomes and reasons are the contract's.
  if (outcomes.length > 0) add("CAST(outcome, 'Int8') IN {outcomes: Array(Int8)}", { outcomes })
  if (statuses.length > 0) add('status IN {statuses: Array(UInt16)}', { statuses })
  if (reasons.length > 0) add("CAST(reason, 'Int8') IN {reasons: Array(Int8)}", { reasons })
  if (key !== '') add('key = {key: String}', { key })
  if (partition !== undefined) add('partition = {partition: UInt32}', { partition })
  if (fromOffset !== undefined) add('offset >= {fromOffset: UInt64}', { fromOffset: String(fromOffset) })
  if (toOffset !== undefined) add('offset < {toOffset: UInt64}', { toOffset: String(toOffset) })
  if (triggers.length > 0) add("CAST(trigger, 'Int8') IN {triggers: Array(Int8)}", { triggers })
  if (retryBatch !== '') add('retry_batch = {retryBatch: String}', { retryBatch: batchIdIn(retryBatch) })
  if (worker !== '') add('worker = {worker: String}', { worker })
  if (failureGroup !== '') add(endedInGroupSql, { cluster: subject.cluster, topic: subject.topic, failureGroup })
  if (text !== '') add('(position(error, {text: String}) > 0 OR position(response_body, {text: String}) > 0)', { text })
  return { sql: sql.join(' AND '), params }
}

/** The attempts that made their deliveries FAILED for one cause: only outcomes know causes. */
const endedInGroupSql = `outcome = 'FAILED' AND (partition, offset, round, epoch, attempt) IN (
  SELECT partition, offset, round, epoch, attempt FROM outcomes
  WHERE ${subjectSql} AND outcome = 'FAILED' AND failure_group = {failureGroup: String})`
