import { create, toBinary } from '@bufbuild/protobuf'
import type { Attempt } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { type AttemptFilter, AttemptFilterSchema } from '../../proto/gen/ferry/v1/delivery_service_pb.ts'
import { attemptConditions } from './attempt-conditions.ts'
import { type AttemptRow, attemptColumns, attemptOf } from './attempt-row.ts'
import type { LogReader } from './log-reader.ts'
import { checkOffsetFilter, timeMs } from './offset-filter.ts'
import { type AttemptPosition, readPageToken, writePageToken } from './page-token.ts'
import { QueryError, refuse } from './query-error.ts'
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
  refuse(filter ? checkOffsetFilter(filter, 'filter') : [])
  const list = `${subject.uid} ${Buffer.from(toBinary(AttemptFilterSchema, filter ?? create(AttemptFilterSchema))).toString('hex')}`
  const after = pageToken === '' ? undefined : positionOf(pageToken, list)
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
  after: AttemptPosition | undefined,
  window: TimeWindow,
  rowsMax: number,
) {
  const { sql, params } = attemptConditions(subject, filter)
  const below = after
    ? `AND (attempt_time, partition, offset, round, epoch, attempt) < (fromUnixTimestamp64Milli({afterMs: Int64}, 'UTC'),
        {afterPartition: UInt32}, {afterOffset: UInt64}, {afterRound: UInt32}, {afterEpoch: UInt64}, {afterAttempt: UInt32})`
    : ''
  return {
    sql: `SELECT ${attemptColumns} FROM attempts_live
      WHERE ${sql} AND attempt_time >= fromUnixTimestamp64Milli({fromMs: Int64}, 'UTC')
        AND attempt_time < fromUnixTimestamp64Milli({toMs: Int64}, 'UTC') ${below}
      ORDER BY attempt_time DESC, partition DESC, offset DESC, round DESC, epoch DESC, attempt DESC
      LIMIT 1 BY partition, offset, round, epoch, attempt LIMIT {rowsMax: UInt32}`,
    params: { ...params, ...window, rowsMax, ...(after ? afterParams(after) : {}) },
    narrow,
  }
}

const afterParams = ({ sentMs, partition, offset, round, epoch, attempt }: AttemptPosition) => ({
  afterMs: sentMs,
  afterPartition: partition,
  afterOffset: offset,
  afterRound: round,
  afterEpoch: epoch,
  afterAttempt: attempt,
})

function timeOf(filter: AttemptFilter | undefined, after: AttemptPosition | undefined, nowMs: number): TimeWindow {
  const ends = [nowMs + clockSkewMsMax]
  if (filter?.toTime) ends.push(timeMs(filter.toTime))
  if (after) ends.push(after.sentMs + 1)
  const fromMs = Math.max(nowMs - retentionMsMax, filter?.fromTime ? timeMs(filter.fromTime) : 0)
  return { fromMs, toMs: Math.min(...ends) }
}

const tokenAfter = (row: AttemptRow, list: string): string => writePageToken({ ...row, sentMs: row.sent_ms }, list)

function positionOf(token: string, list: string): AttemptPosition {
  const position = readPageToken(token, list)
  if (position) return position
  throw new QueryError(
    'INVALID_PAGE_TOKEN',
    'page_token must be the next_page_token of a page of the same use case with the same filter; start again without one',
  )
}
