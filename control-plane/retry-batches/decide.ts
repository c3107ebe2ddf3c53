import { RetryBatchState } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { asOfMs, type BatchRecord, changed, ended } from './batch.ts'
import { type LaneProgress, progressFields } from './progress.ts'

export interface DecideLimits {
  /** A batch does not end sooner after its creation: rows of what failed just before are still on their way into the log. */
  readonly settleMs: number
  /** Nothing has moved for so long: the lanes are gone through once more. */
  readonly sweepAfterMs: number
}

/** The batch as it is by what was counted, for its next revision; the same record when nothing is new. */
export function decide(record: BatchRecord, lanes: readonly LaneProgress[], limits: DecideLimits, nowMs: number): BatchRecord {
  const { batch } = record
  const fields = progressFields(lanes)
  const waiting = lanes.some((lane) => lane.waiting > 0)
  const pending = lanes.some((lane) => lane.pending > 0)
  const counted = { ...fields, state: batch.state }
  if (batch.state === RetryBatchState.ENQUEUING && !waiting) counted.state = RetryBatchState.RUNNING
  const moved = (Object.keys(counted) as (keyof typeof counted)[]).some((field) => counted[field] !== batch[field])
  const next = moved ? changed(record, counted, { sweepMs: nowMs + limits.sweepAfterMs }) : record
  if (pending || nowMs < asOfMs(record) + limits.settleMs) return next
  const done = ended(next, RetryBatchState.DONE, nowMs)
  return { ...done, revision: record.revision + 1 }
}
