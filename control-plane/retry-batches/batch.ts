import { randomBytes } from 'node:crypto'
import { fromJson, type JsonValue, toJson } from '@bufbuild/protobuf'
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import { type RetryBatch, RetryBatchSchema, RetryBatchState } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import type { ChangeRow } from '../store/change.ts'

// | state     | the leader                                                          | next                                  |
// |-----------|---------------------------------------------------------------------|---------------------------------------|
// | ENQUEUING | pages through lanes and offsets and hands items to their lanes       | RUNNING when nothing is left to hand  |
// | RUNNING   | counts by the log; hands over again what a lane has lost, or the log | DONE when every item has ended        |
// |           | showed late                                                         |                                       |
// | DONE      | forgets the marks in the lanes, after a while                        |                                       |
// | CANCELLED | takes the items out of the lanes, then as DONE                       |                                       |
//
// ENQUEUING and RUNNING become CANCELLED when somebody cancels, or when their use case is gone.

/** A batch as Redis has it. Where it is in each lane stands in that lane alone: its mark. */
export interface BatchRecord {
  /** As callers see it, with the progress that was last counted. Its creation is the time as of which it selects. */
  readonly batch: RetryBatch
  /** The use case's uid: a use case that was deleted and created again has nothing to do with this batch. */
  readonly uid: string
  /** Grows by one with every change. */
  readonly revision: number
  /** How often the lanes have been gone through from the start; see sweep. */
  readonly lap: number
  /** When the lanes may be gone through once more, Unix ms. */
  readonly sweepMs: number
  /** With max_items: how many deliveries of each partition, by partition. */
  readonly budgets?: Readonly<Record<string, number>>
  /** Field of the request that made it, or empty. */
  readonly request: string
  /** Lanes that it selected from. */
  readonly partitions: readonly number[]
  /** CANCELLED: its items are out of the lanes. */
  readonly withdrawn: boolean
}

export const batchIdOf = (record: BatchRecord): string => record.batch.name.slice(record.batch.name.lastIndexOf('/') + 1)

export const isOpen = ({ batch }: BatchRecord): boolean =>
  batch.state === RetryBatchState.ENQUEUING || batch.state === RetryBatchState.RUNNING

/** Sorts by time, and stands in Redis values between words, commas and colons. */
export const newBatchId = (nowMs: number): string => `rb-${nowMs.toString(36)}-${randomBytes(4).toString('hex')}`

export const asOfMs = ({ batch }: BatchRecord): number => timestampMs(batch.createTime!)

export function writeBatch(record: BatchRecord): string {
  return JSON.stringify({ ...record, batch: toJson(RetryBatchSchema, record.batch) })
}

/** Fields that a newer control plane wrote are left out, so that versions can run side by side. */
export function readBatch(text: string): BatchRecord {
  const record = JSON.parse(text) as Omit<BatchRecord, 'batch'> & { readonly batch: JsonValue }
  return { ...record, batch: fromJson(RetryBatchSchema, record.batch, { ignoreUnknownFields: true }) }
}

/** The next revision, with the given differences. */
export function changed(
  record: BatchRecord,
  batch: Partial<Omit<RetryBatch, '$typeName'>>,
  more: Partial<Omit<BatchRecord, 'batch' | 'revision'>> = {},
): BatchRecord {
  return { ...record, ...more, revision: record.revision + 1, batch: { ...record.batch, ...batch } }
}

export const ended = (record: BatchRecord, state: RetryBatchState, nowMs: number): BatchRecord =>
  changed(record, { state, endTime: timestampFromMs(nowMs) })

/** What the audit keeps of a batch's beginning and of its end before its time. */
export function auditRow(
  record: BatchRecord,
  action: 'RETRY_BATCH' | 'RETRY_BATCH_CANCEL',
  actor: string,
  timeMs: number,
): ChangeRow {
  const { batch, uid } = record
  const [, namespace, , useCase] = batch.useCase.split('/')
  const after = JSON.stringify(toJson(RetryBatchSchema, batch))
  return {
    ...{ change_time: timeMs, actor, action, namespace: namespace!, use_case: useCase!, uid, revision: '0' },
    resource: batch.name,
    ...{ reason: batch.reason, before: '', after },
  }
}
