import { randomBytes } from 'node:crypto'
import { create, fromJson, type JsonValue, toJson } from '@bufbuild/protobuf'
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import {
  RetryBatchAction as Action,
  type RetryBatch,
  RetryBatchEventSchema,
  RetryBatchSchema,
  RetryBatchState,
} from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { type ChangeRow, orderRow } from '../store/change.ts'
import type { OrderKind, OrderStore } from '../store/order-store.ts'
import type { PartitionRun } from './given-offsets.ts'

// | state     | the leader                                                          | next                                  |
// |-----------|---------------------------------------------------------------------|---------------------------------------|
// | ENQUEUING | pages through lanes and offsets and hands items to their lanes       | RUNNING when nothing is left to hand  |
// | RUNNING   | counts by the log; hands over again what a lane has lost, or the log | DONE when every item has ended        |
// |           | showed late                                                         |                                       |
// | PAUSED    | takes the items out of the lanes; counts what was sent already      | ENQUEUING when somebody resumes it    |
// | DONE      | forgets the marks in the lanes, after a while                        |                                       |
// | CANCELLED | takes the items out of the lanes, then as DONE                       |                                       |
//
// ENQUEUING and RUNNING become PAUSED when somebody pauses; PAUSED becomes DONE when what was sent was all. Whatever has not ended becomes
// CANCELLED when somebody cancels, or when its use case is gone. Pausing and resuming each begin a lap: a leader that was frozen before
// hands nothing over in an earlier one.

/** A batch as Redis has it. Where it is in each lane stands in that lane alone: its mark. */
export interface BatchRecord {
  /** As callers see it, with the progress that was last counted. */
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
  /** CANCELLED or PAUSED: its items are out of the lanes. */
  readonly withdrawn: boolean
  /** Offsets that it selects although nothing is known of them. */
  readonly missing?: readonly PartitionRun[]
  /** The lap that a resume, or a loss in a batch with a pace, began: what has ended by then is all that was handed over. */
  readonly freshLap?: number
  /** How many had ended at two times, the latter at least a minute old; see estimate.ts. */
  readonly rates?: readonly [Ended, Ended]
}

export interface Ended {
  /** Unix ms. */
  readonly ms: number
  readonly ended: number
}

export type BatchStore = OrderStore<BatchRecord>

export const batchIdOf = (record: BatchRecord): string => record.batch.name.slice(record.batch.name.lastIndexOf('/') + 1)

/** The leader hands its items over, or waits for their ends. */
export const isOpen = ({ batch }: BatchRecord): boolean =>
  batch.state === RetryBatchState.ENQUEUING || batch.state === RetryBatchState.RUNNING

export const isOver = ({ batch }: BatchRecord): boolean =>
  batch.state === RetryBatchState.DONE || batch.state === RetryBatchState.CANCELLED

/** Sorts by time, and stands in Redis values between words, commas and colons. */
export const newBatchId = (nowMs: number): string => `rb-${nowMs.toString(36)}-${randomBytes(4).toString('hex')}`

export const createMs = ({ batch }: BatchRecord): number => timestampMs(batch.createTime!)

/** What has ended later does not select. */
export const asOfMs = ({ batch }: BatchRecord): number => timestampMs(batch.asOfTime ?? batch.createTime!)

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

export const batchKind: OrderKind<BatchRecord> = {
  ...{ what: 'retry batches', write: writeBatch, read: readBatch, idOf: batchIdOf, createMs },
  useCaseOf: ({ batch }) => batch.useCase,
}

const eventsMax = 50
const cut = <T>(events: readonly T[]): T[] =>
  events.length > eventsMax ? [events[0]!, ...events.slice(events.length - eventsMax + 1)] : [...events]

/** Who does something with a batch, and why. */
export interface BatchAct {
  readonly action: Action
  readonly actor: string
  readonly reason: string
  readonly timeMs: number
}

/** A batch's events with one more; of too many the creation and the latest stay. */
export function withEvent({ events }: Pick<RetryBatch, 'events'>, { action, actor, reason, timeMs }: BatchAct) {
  const event = create(RetryBatchEventSchema, { action, actor, reason, eventTime: timestampFromMs(timeMs) })
  return { events: cut([...events, event]) }
}

/** All begin so: the audit's readers tell them from changes of use cases. */
const auditActions: Readonly<Record<number, string>> = {
  [Action.CREATE]: 'RETRY_BATCH',
  [Action.PAUSE]: 'RETRY_BATCH_PAUSE',
  [Action.RESUME]: 'RETRY_BATCH_RESUME',
  [Action.CANCEL]: 'RETRY_BATCH_CANCEL',
}

/** What the audit keeps of what somebody does with a batch. */
export function auditRow({ batch, uid }: BatchRecord, { action, actor, reason, timeMs }: BatchAct): ChangeRow {
  const { name: resource, useCase } = batch
  const after = JSON.stringify(toJson(RetryBatchSchema, batch))
  return orderRow({ timeMs, actor, action: auditActions[action] ?? '', useCase, uid, resource, reason, after })
}
