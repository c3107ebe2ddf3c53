import { RetryBatchAction as Action, RetryBatchState } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { QueryError } from '../attempts/query-error.ts'
import { type BatchRecord, changed, ended, isOpen, isOver } from './batch.ts'
import { beginRates, endedOf } from './estimate.ts'

/** Who does it, and why. */
export interface Act {
  readonly actor: string
  readonly reason: string
}

/** The next revision of a batch, and what was done to it; undefined when there is nothing to do. Throws when it cannot be done. */
export type Step = (record: BatchRecord, nowMs: number) => { readonly record: BatchRecord; readonly action: Action } | undefined

/** What was not sent is taken out of the lanes; it is found again by a lap of its own. */
export const pauseBatch: Step = (record) => {
  if (record.batch.state === RetryBatchState.PAUSED) return undefined
  requireGoing(record, 'pause')
  const lap = { lap: record.lap + 1, withdrawn: false }
  return { record: changed(record, { state: RetryBatchState.PAUSED }, lap), action: Action.PAUSE }
}

export const resumeBatch: Step = (record, nowMs) => {
  if (isOpen(record)) return undefined
  requireGoing(record, 'resume')
  return {
    record: changed(record, { state: RetryBatchState.ENQUEUING }, freshLap(record, nowMs)),
    action: Action.RESUME,
  }
}

/** Everything that has not ended is handed over once more; what is in the lanes already stays as it is. */
export const freshLap = (record: BatchRecord, nowMs: number) => ({
  ...{ lap: record.lap + 1, freshLap: record.lap + 1, withdrawn: false, sweepMs: 0 },
  rates: beginRates(endedOf(record.batch), nowMs),
})

export const cancelBatch: Step = (record, nowMs) => {
  if (record.batch.state === RetryBatchState.CANCELLED) return undefined
  requireGoing(record, 'cancel')
  const cancelled = ended(record, RetryBatchState.CANCELLED, nowMs)
  return { record: { ...cancelled, withdrawn: false }, action: Action.CANCEL }
}

function requireGoing(record: BatchRecord, what: string): void {
  if (!isOver(record)) return
  const { name, state } = record.batch
  const why = state === RetryBatchState.DONE ? 'DONE: every delivery of it has ended' : 'CANCELLED: make another one'
  throw new QueryError('RETRY_BATCH_ENDED', `${name} is ${why}, there is nothing to ${what}`)
}
