import { timestampMs } from '@bufbuild/protobuf/wkt'
import type { DeliveryFilter } from '../../proto/gen/ferry/v1/deliveries_pb.ts'
import { type Delivery, DeliveryState, Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { batchIdIn, checkBatchFilter } from './batch-filter.ts'
import { checkOffsetFilter, timeMs } from './offset-filter.ts'
import { outcomeConditions, tableWords } from './outcome-conditions.ts'
import type { Violation } from './query-error.ts'

/** What the contract's own rules cannot say. */
export const checkDeliveryFilter = (filter: DeliveryFilter | undefined, useCase: string): Violation[] =>
  filter ? [...checkOffsetFilter(filter, 'filter'), ...checkBatchFilter(filter, useCase, 'filter')] : []

/** Where deliveries that a filter can select may be found. */
export interface Wanted {
  /** The log's outcomes. */
  readonly ended: boolean
  /** The log's ranges that say that records were skipped. */
  readonly skipped: boolean
  /** What lanes have parked. */
  readonly parked: boolean
  /** What has an attempt, and no outcome yet. */
  readonly sending: boolean
  /** What Kafka has, and nobody has read. */
  readonly waiting: boolean
}

export function wantedOf(filter: DeliveryFilter | undefined): Wanted {
  if (!filter) return { ended: true, skipped: true, parked: true, sending: true, waiting: true }
  const { states, outcomes, statuses, reasons, fromTime, toTime, key, text, retryBatch, failureGroup } = filter
  const wants = (state: DeliveryState): boolean => states.length === 0 || states.includes(state)
  const ofAttempts = statuses.length > 0 || [key, text, retryBatch, failureGroup].some((each) => each !== '')
  const noOutcome = outcomes.length === 0 && failureGroup === ''
  return {
    ended: wants(DeliveryState.ENDED),
    skipped:
      wants(DeliveryState.ENDED) && !ofAttempts && !fromTime && !toTime && (noOutcome || outcomes.includes(Outcome.SKIPPED)),
    parked: states.length === 0 || states.some((state) => state !== DeliveryState.ENDED && state !== DeliveryState.WAITING),
    sending: wants(DeliveryState.SENDING) && noOutcome,
    waiting: wants(DeliveryState.WAITING) && noOutcome && !ofAttempts && !fromTime && !toTime && reasons.length === 0,
  }
}

/**
 * A condition on rows of `outcomes` of one partition, `from` to below `below`, that every selected delivery which has ended has at least one
 * of.
 */
export function endedRows(filter: DeliveryFilter | undefined): {
  readonly sql: string
  readonly params: Readonly<Record<string, unknown>>
} {
  if (!filter) return { sql: 'true', params: {} }
  const { outcomes, key, retryBatch, failureGroup } = filter
  const { row, params } = outcomeConditions(filter)
  const sql = [row(tableWords)]
  if (outcomes.length > 0) sql.push("CAST(outcome, 'Int8') IN {outcomes: Array(Int8)}")
  if (retryBatch !== '') sql.push('retry_batch = {retryBatch: String}')
  if (failureGroup !== '') sql.push("outcome = 'FAILED' AND failure_group = {failureGroup: String}")
  if (key !== '')
    sql.push(`offset IN (SELECT offset FROM attempts_live
      WHERE uid = {uid: String} AND partition = {partition: UInt32} AND offset >= {from: UInt64} AND offset < {below: UInt64}
        AND key = {key: String} AND purpose = 'DELIVER' AND replay = '')`)
  return { sql: sql.join(' AND '), params: { ...params, outcomes, key, failureGroup, retryBatch: batchIdIn(retryBatch) } }
}

/** Whether the filter selects it; `isKey` says whether its key is the one that the filter names. */
export function selects(filter: DeliveryFilter | undefined, delivery: Delivery, isKey: boolean): boolean {
  if (!filter) return true
  const { states, outcomes, statuses, reasons, key, text, retryBatch, failureGroup } = filter
  const { attemptCount, endTime, lastAttemptTime } = delivery
  const isOf = <T>(values: readonly T[], value: T): boolean => values.length === 0 || values.includes(value)
  const wasSeen = attemptCount > 0 || endTime !== undefined
  const ms =
    endTime && delivery.state === DeliveryState.ENDED ? timestampMs(endTime) : lastAttemptTime && timestampMs(lastAttemptTime)
  return (
    isOf(states, delivery.state) &&
    isOf(outcomes, delivery.outcome) &&
    (statuses.length === 0 || (wasSeen && statuses.includes(delivery.status))) &&
    isOf(reasons, delivery.reason) &&
    isWithin(filter, ms) &&
    (key === '' || isKey) &&
    (text === '' || delivery.text.includes(text)) &&
    (retryBatch === '' || delivery.retryBatch === retryBatch) &&
    (failureGroup === '' || delivery.failureGroup === failureGroup)
  )
}

function isWithin({ fromTime, toTime }: DeliveryFilter, ms: number | undefined): boolean {
  if (!fromTime && !toTime) return true
  return ms !== undefined && (!fromTime || ms >= timeMs(fromTime)) && (!toTime || ms < timeMs(toTime))
}
