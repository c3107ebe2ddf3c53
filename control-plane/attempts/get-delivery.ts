import type { Attempt, Delivery } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { Redis } from '../../runtime/redis.ts'
import { type AttemptRow, attemptColumns, attemptOf } from './attempt-row.ts'
import { readDeliveryLog } from './delivery-log.ts'
import { deliveryMessage } from './delivery-message.ts'
import { type RangeRow, skips } from './delivery-state.ts'
import { readLaneView } from './lane-position.ts'
import type { LogReader } from './log-reader.ts'
import type { PageLimits } from './query.ts'
import { QueryError } from './query-error.ts'
import { laneOf, type Subject, subjectParams, subjectSql } from './subject.ts'
import { askOffsets, type TopicOffsets } from './topic-offsets.ts'

export interface DeliverySources {
  readonly log: LogReader
  readonly redis: Redis
  readonly offsets: TopicOffsets
}

const attemptsMax = 1000
const narrow = 'List the attempts of this offset with filter.from_time and filter.to_time instead'

/** A delivery with its timeline. Throws DELIVERY_NOT_FOUND for an offset that is no record to deliver, or not one yet. */
export async function getDelivery(
  sources: DeliverySources,
  limits: PageLimits,
  subject: Subject,
  partition: number,
  offset: number,
): Promise<Delivery> {
  const { log, redis } = sources
  // Redis first: what it no longer parks when it is asked is in the log by then.
  const lane = await readLaneView(redis, laneOf(subject, partition), offset)
  const params = { ...subjectParams(subject), partition, offset }
  const [known, [range], rows] = await Promise.all([
    readDeliveryLog(log, subject, partition, [offset], '', narrow),
    log.select<RangeRow>({ sql: rangeSql, params, narrow }),
    newestAttempts(log, params, limits.pageBytesMax),
  ])
  const outcomes = known.outcomes.get(offset) ?? []
  const attempts = known.attempts.get(offset)
  const seen = lane.parked !== undefined || outcomes.length > 0 || attempts !== undefined
  if (!seen && range && !skips(range.kind)) throw notARecord(subject, partition, offset, range.kind)
  if (!seen && !range) await requireRecord(sources.offsets, subject, partition, offset)
  const delivery = deliveryMessage(subject, { partition, offset, lane, outcomes, attempts, range })
  delivery.attempts = timeline(subject, rows)
  return delivery
}

// A range that says that the record was skipped goes before one that says that there is none.
const rangeSql = `SELECT toString(kind) AS kind, reason FROM ranges
  WHERE ${subjectSql} AND partition = {partition: UInt32}
    AND arrayExists(run -> run.1 <= {offset: UInt64} AND run.2 >= {offset: UInt64}, runs)
  ORDER BY CAST(kind, 'String') IN ('FILTERED', 'TOMBSTONE', 'OPERATOR') DESC, range_time DESC LIMIT 1`

const attemptsSql = `SELECT ${attemptColumns} FROM attempts_live
  WHERE uid = {uid: String} AND partition = {partition: UInt32} AND offset = {offset: UInt64} AND purpose = 'DELIVER' AND replay = ''
  ORDER BY round DESC, attempt_time DESC, epoch DESC, attempt DESC
  LIMIT 1 BY round, epoch, attempt LIMIT ${attemptsMax}`

/** The newest attempts, as many as fit into an answer. */
async function newestAttempts(log: LogReader, params: Record<string, unknown>, bytesMax: number): Promise<AttemptRow[]> {
  const rows: AttemptRow[] = []
  let bytes = 0
  for await (const { row, textLength } of log.stream<AttemptRow>({ sql: attemptsSql, params, narrow })) {
    bytes += textLength
    if (rows.length > 0 && bytes > bytesMax) break
    rows.push(row)
  }
  return rows
}

const timeline = (subject: Subject, newestFirst: readonly AttemptRow[]): Attempt[] =>
  newestFirst.map((row) => attemptOf(subject, row)).reverse()

async function requireRecord(offsets: TopicOffsets, subject: Subject, partition: number, offset: number): Promise<void> {
  const end = (await askOffsets(offsets.endOffsets(subject.cluster, subject.topic))).get(partition)
  const where = `${subject.topic}/${partition}`
  if (end === undefined) throw new QueryError('DELIVERY_NOT_FOUND', `topic ${subject.topic} has no partition ${partition}`)
  if (offset >= end)
    throw new QueryError('DELIVERY_NOT_FOUND', `there is no offset ${offset} in ${where} yet: the next record gets ${end}`)
}

const holeWords: Readonly<Record<string, string>> = {
  COMPACTED: 'compaction has removed it',
  TRANSACTION: 'it is a transaction marker, or its transaction was aborted',
  RETENTION: "Kafka's retention had removed it before it could be read",
  TRUNCATED: 'the topic was cut',
  BEFORE_START: 'the use case starts after it',
}

function notARecord(subject: Subject, partition: number, offset: number, kind: string): QueryError {
  const what = `offset ${offset} of ${subject.topic}/${partition} is no record to deliver: ${holeWords[kind] ?? kind}`
  return new QueryError('DELIVERY_NOT_FOUND', what)
}
