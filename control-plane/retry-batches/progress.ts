import type { RetryBatch } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import type { LogReader } from '../attempts/log-reader.ts'
import type { Mark } from './mark.ts'
import { narrow } from './narrow.ts'
import { type Selection, selectionSql } from './selection.ts'

/** What became of a lane's part of a batch, by the log. */
export interface LaneProgress {
  readonly partition: number
  readonly selected: number
  readonly delivered: number
  readonly failed_again: number
  readonly superseded: number
  readonly skipped: number
  /** Part of failed_again. */
  readonly payload_expired: number
  /** Not ended. */
  readonly pending: number
  /** Of these, above the mark: not handed to the lane in this lap. */
  readonly waiting: number
}

/** Partitions whose mark is closed are handed nothing. */
export type Marks = ReadonlyMap<number, Mark | undefined>

/** Counts every selected delivery by what the log says of it now. */
export async function countProgress(log: LogReader, selection: Selection, marks: Marks): Promise<LaneProgress[]> {
  const { sql, params } = selectionSql(selection)
  return log.select<LaneProgress>({
    sql: `SELECT partition, count() AS selected, countIf(now = 'DELIVERED') AS delivered, countIf(now = 'FAILED') AS failed_again,
        countIf(now = 'SUPERSEDED') AS superseded, countIf(now = 'FAILED' AND now_reason = 'PAYLOAD_EXPIRED') AS payload_expired,
        countIf(now = 'SKIPPED') AS skipped,
        countIf(now = '') AS pending,
        countIf(now = '' AND toInt64(offset) > transform(partition, {marked: Array(UInt32)}, {marks: Array(Int64)}, toInt64(-1))) AS waiting
      FROM (${sql}) GROUP BY partition ORDER BY partition`,
    params: {
      ...{ ...params, marked: [...marks.keys()] },
      marks: [...marks.values()].map((mark) => mark?.offset ?? Number.MAX_SAFE_INTEGER),
    },
    narrow,
  })
}

/** The progress fields of the contract. */
export function progressFields(
  lanes: readonly LaneProgress[],
): Pick<
  RetryBatch,
  'selected' | 'enqueued' | 'delivered' | 'failedAgain' | 'superseded' | 'payloadExpired' | 'skipped' | 'remaining'
> {
  const sum = (of: (lane: LaneProgress) => number): bigint => BigInt(lanes.reduce((total, lane) => total + of(lane), 0))
  return {
    selected: sum((lane) => lane.selected),
    enqueued: sum((lane) => lane.selected - lane.waiting),
    delivered: sum((lane) => lane.delivered),
    failedAgain: sum((lane) => lane.failed_again),
    superseded: sum((lane) => lane.superseded),
    payloadExpired: sum((lane) => lane.payload_expired),
    skipped: sum((lane) => lane.skipped),
    remaining: sum((lane) => lane.pending),
  }
}
