import { RetryBatchState } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { type BatchRecord, changed, ended } from './batch.ts'
import { beginRates, countRates, endedOf } from './estimate.ts'
import { type LaneProgress, progressFields } from './progress.ts'

/**
 * The batch as it is by what was counted, for its next revision; the same record when nothing is new. When nothing has moved for
 * sweepAfterMs, the lanes are to be gone through once more.
 */
export function decide(record: BatchRecord, lanes: readonly LaneProgress[], sweepAfterMs: number, nowMs: number): BatchRecord {
  const { batch } = record
  const fields = progressFields(lanes)
  const waiting = lanes.some((lane) => lane.waiting > 0)
  const pending = lanes.some((lane) => lane.pending > 0)
  const counted = { ...fields, state: batch.state }
  if (batch.state === RetryBatchState.ENQUEUING && !waiting) counted.state = RetryBatchState.RUNNING
  const moved = (Object.keys(counted) as (keyof typeof counted)[]).some((field) => counted[field] !== batch[field])
  const rates = countRates(record.rates ?? beginRates(0, nowMs), endedOf(fields), nowMs)
  const next = moved ? changed(record, counted, { sweepMs: nowMs + sweepAfterMs, rates }) : record
  if (pending) return next
  const done = ended(next, RetryBatchState.DONE, nowMs)
  return { ...done, revision: record.revision + 1 }
}
