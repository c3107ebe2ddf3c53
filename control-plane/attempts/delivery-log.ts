import type { Outcome, Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { OutcomeRow } from './delivery-state.ts'
import type { LogReader } from './log-reader.ts'
import { endMsSql } from './outcome-conditions.ts'
import { type Subject, subjectParams, subjectSql } from './subject.ts'

/** What the log has about deliveries of one partition, by offset. */
export interface DeliveryLog {
  readonly outcomes: ReadonlyMap<number, readonly OutcomeDetail[]>
  readonly attempts: ReadonlyMap<number, AttemptsDetail>
}

/** A row of `outcomes`. */
export interface OutcomeDetail extends OutcomeRow {
  readonly status: number
  readonly text: string
  readonly end_ms: number
  readonly record_ms: number
  readonly retry_batch: string
  readonly failure_group: string
}

/** What `attempts` still has of one delivery. */
export interface AttemptsDetail {
  readonly numbers: readonly (readonly [round: number, epoch: number, attempt: number])[]
  readonly last: {
    readonly sentMs: number
    readonly outcome: Outcome
    readonly reason: Reason
    readonly status: number
    readonly text: string
    readonly retryBatch: string
  }
  readonly recordMs: number
  /** Cut. */
  readonly key: string
  /** Whether its key is the one that was asked for. */
  readonly isKey: boolean
}

const keyLengthMax = 1000
const numbersMax = 1000

const outcomesSql = `SELECT DISTINCT offset, round, epoch, attempt, toString(outcome) AS outcome, toString(reason) AS reason, status, text,
    ${endMsSql} AS end_ms, toUnixTimestamp64Milli(record_time) AS record_ms, retry_batch, failure_group
  FROM outcomes WHERE ${subjectSql} AND partition = {partition: UInt32} AND offset IN {offsets: Array(UInt64)}`

const attemptsSql = `SELECT offset, groupUniqArray(${numbersMax})((round, epoch, attempt)) AS numbers,
    argMax((toUnixTimestamp64Milli(attempt_time), CAST(outcome, 'Int8'), CAST(reason, 'Int8'), status,
      if(outcome = 'DELIVERED', '', leftUTF8(if(error != '', error, response_body), 200)), retry_batch), (round, attempt_time, epoch, attempt)) AS last,
    toUnixTimestamp64Milli(max(record_time)) AS record_ms, leftUTF8(max(key), ${keyLengthMax}) AS key_begin, countIf(key = {key: String}) > 0 AS is_key
  FROM attempts_live
  WHERE uid = {uid: String} AND partition = {partition: UInt32} AND offset IN {offsets: Array(UInt64)} AND purpose = 'DELIVER' AND replay = ''
  GROUP BY offset`

interface AttemptsRow {
  readonly offset: number
  readonly numbers: AttemptsDetail['numbers']
  readonly last: readonly [number, Outcome, Reason, number, string, string]
  readonly record_ms: number
  readonly key_begin: string
  readonly is_key: number
}

/** `narrow`: see Question. */
export async function readDeliveryLog(
  log: LogReader,
  subject: Subject,
  partition: number,
  offsets: readonly number[],
  key: string,
  narrow: string,
): Promise<DeliveryLog> {
  if (offsets.length === 0) return { outcomes: new Map(), attempts: new Map() }
  const params = { ...subjectParams(subject), partition, offsets, key }
  const [outcomes, attempts] = await Promise.all([
    log.select<OutcomeDetail & { offset: number }>({ sql: outcomesSql, params, narrow }),
    log.select<AttemptsRow>({ sql: attemptsSql, params, narrow }),
  ])
  return {
    outcomes: Map.groupBy(outcomes, ({ offset }) => offset),
    attempts: new Map(attempts.map((row) => [row.offset, detailOf(row)])),
  }
}

function detailOf({ numbers, last, record_ms, key_begin, is_key }: AttemptsRow): AttemptsDetail {
  const [sentMs, outcome, reason, status, text, retryBatch] = last
  return {
    numbers,
    last: { sentMs, outcome, reason, status, text, retryBatch },
    ...{ recordMs: record_ms, key: key_begin, isKey: is_key > 0 },
  }
}
