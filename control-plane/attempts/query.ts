import { create, toBinary } from '@bufbuild/protobuf'
import { type AttemptFilter, AttemptFilterSchema } from '../../proto/gen/ferry/v1/attempt_filter_pb.ts'
import type { Attempt } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { attemptConditions } from './attempt-conditions.ts'
import { type AttemptRow, attemptColumns, attemptOf } from './attempt-row.ts'
import { checkBatchFilter } from './batch-filter.ts'
import type { LogReader } from './log-reader.ts'
import { checkOffsetFilter, timeMs } from './offset-filter.ts'
import { positionIn, writePageToken } from './page-token.ts'
import { refuse, type Violation } from './query-error.ts'
import type { Subject } from './subject.ts'
import { type TimeWindow, timeWindows } from './time-windows.ts'

export interface AttemptQuery {
  readonly filter: AttemptFilter | undefined
  /** 0 means 50. */
  readonly pageSize: number
  /** Empty for the first page. */
  readonly pageToken: string
}

export interface AttemptPage {
  /** Newest first. */
  readonly attempts: readonly Attempt[]
  /** Empty on the last page. */
  readonly nextPageToken: string
}

export interface PageLimits {
  /** A page ends before it grows above this, so that it fits into what clients take (4 MiB by default); one row goes in any case. */
  readonly pageBytesMax: number
}

const defaultPageSize = 50
const dayMs = 86_400_000
/** No row is visible longer. */
const retentionMsMax = 401 * dayMs
const clockSkewMsMax = dayMs

const narrow =
  'Narrow it: give filter.from_time and filter.to_time, filter.key, or filter.partition with filter.from_offset and filter.to_offset'

/** What the contract's own rules cannot say. */
export const checkAttemptFilter = (filter: AttemptFilter | undefined, useCase: string): Violation[] =>
  filter ? [...checkOffsetFilter(filter, 'filter'), ...checkBatchFilter(filter, useCase, 'filter')] : []

/** Where a page ends: time, partition, offset, round, epoch, attempt, replay, each descending. */
const place = [0, 0, 0, 0, 0, 0, ''] as const
type Place = readonly [number, number, number, number, number, number, string]

/**
 * One page of a use case's attempts. A page starts below the last row of the one before it, so rows that arrive meanwhile neither
 * repeat nor hide what was there.
 */
export async function listAttempts(
  log: LogReader,
  subject: Subject,
  { filter, pageSize, pageToken }: AttemptQuery,
  limits: PageLimits,
  nowMs: number,
): Promise<AttemptPage> {
  refuse(checkAttemptFilter(filter, subject.name))
  const list = `${subject.uid} ${Buffer.from(toBinary(AttemptFilterSchema, filter ?? create(AttemptFilterSchema))).toString('hex')}`
  const after = positionIn<Place>(pageToken, list, place)
  const rowsMax = pageSize || defaultPageSize
  const page: AttemptRow[] = []
  let bytes = 0
  for (const window of timeWindows(timeOf(filter, after, nowMs), nowMs)) {
    // One more than the page takes says that there is another page.
    const question = windowQuestion(subject, filter, after, window, rowsMax + 1 - page.length)
    for await (const { row, textLength } of log.stream<AttemptRow>(question)) {
      bytes += textLength
      if (page.length === rowsMax || (page.length > 0 && bytes > limits.pageBytesMax)) {
        return { attempts: page.map((each) => attemptOf(subject, each)), nextPageToken: tokenAfter(page.at(-1)!, list) }
      }
      page.push(row)
    }
  }
  return { attempts: page.map((each) => attemptOf(subject, each)), nextPageToken: '' }
}

function windowQuestion(
  subject: Subject,
  filter: AttemptFilter | undefined,
  after: Place | undefined,
  window: TimeWindow,
  rowsMax: number,
) {
  const { sql, params } = attemptConditions(subject, filter)
  const below = after
    ? `AND (attempt_time, partition, offset, round, epoch, attempt, replay) < (fromUnixTimestamp64Milli({afterMs: Int64}, 'UTC'),
        {afterPartition: UInt32}, {afterOffset: UInt64}, {afterRound: UInt32}, {afterEpoch: UInt64}, {afterAttempt: UInt32}, {afterReplay: String})`
    : ''
  return {
    sql: `SELECT ${attemptColumns} FROM attempts_live
      WHERE ${sql} AND attempt_time >= fromUnixTimestamp64Milli({fromMs: Int64}, 'UTC')
        AND attempt_time < fromUnixTimestamp64Milli({toMs: Int64}, 'UTC') ${below}
      ORDER BY attempt_time DESC, partition DESC, offset DESC, round DESC, epoch DESC, attempt DESC, replay DESC
      LIMIT 1 BY partition, offset, round, epoch, attempt, replay LIMIT {rowsMax: UInt32}`,
    params: { ...params, ...window, rowsMax, ...(after ? afterParams(after) : {}) },
    narrow,
  }
}

const afterParams = ([sentMs, partition, offset, round, epoch, attempt, replay]: Place) => ({
  afterMs: sentMs,
  afterPartition: partition,
  afterOffset: offset,
  afterRound: round,
  afterEpoch: epoch,
  afterAttempt: attempt,
  afterReplay: replay,
})

function timeOf(filter: AttemptFilter | undefined, after: Place | undefined, nowMs: number): TimeWindow {
  const ends = [nowMs + clockSkewMsMax]
  if (filter?.toTime) ends.push(timeMs(filter.toTime))
  if (after) ends.push(after[0] + 1)
  const fromMs = Math.max(nowMs - retentionMsMax, filter?.fromTime ? timeMs(filter.fromTime) : 0)
  return { fromMs, toMs: Math.min(...ends) }
}

const tokenAfter = (row: AttemptRow, list: string): string =>
  writePageToken([row.sent_ms, row.partition, row.offset, row.round, row.epoch, row.attempt, row.replay], list)
