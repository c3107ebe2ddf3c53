import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Delivery, DeliverySchema, Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { AttemptsDetail, OutcomeDetail } from './delivery-log.ts'
import { countAttempts, deliveryStatus, type RangeRow } from './delivery-state.ts'
import type { LaneView } from './lane-position.ts'
import { decidingRow } from './outcome-rule.ts'
import type { Subject } from './subject.ts'

/** All that is known of one delivery. Redis must have been read before the log. */
export interface KnownDelivery {
  readonly partition: number
  readonly offset: number
  readonly lane: LaneView
  readonly outcomes: readonly OutcomeDetail[]
  readonly attempts: AttemptsDetail | undefined
  readonly range: RangeRow | undefined
}

/** The contract's form of it, without its timeline. */
export function deliveryMessage(subject: Subject, known: KnownDelivery): Delivery {
  const { partition, offset, lane, outcomes, attempts, range } = known
  const status = deliveryStatus({ offset, lane, outcomes, range, attempted: attempts !== undefined })
  const { parked } = lane
  const row = decidingRow(outcomes)
  const last = attempts?.last
  const numbered = attempts?.numbers.map(([round, epoch, attempt]) => ({ round, epoch, attempt })) ?? []
  const batch = parked?.batch ?? row?.retry_batch ?? last?.retryBatch ?? ''
  const recordMs = Math.max(attempts?.recordMs ?? 0, ...outcomes.map((each) => each.record_ms))
  return create(DeliverySchema, {
    ...{
      useCase: subject.name,
      uid: subject.uid,
      cluster: subject.cluster,
      topic: subject.topic,
      partition,
      offset: BigInt(offset),
    },
    ...{ state: status.state, outcome: status.outcome },
    reason: status.outcome === Outcome.UNSPECIFIED && last ? last.reason : status.reason,
    ...timeOf('nextAttemptTime', status.nextAttemptMs),
    attemptCount: countAttempts([
      ...numbered,
      ...outcomes,
      ...(parked ? [{ round: parked.round, attempt: parked.attempts }] : []),
    ]),
    status: row?.status ?? last?.status ?? 0,
    text: row?.text ?? last?.text ?? '',
    ...timeOf('endTime', row?.end_ms),
    ...timeOf('lastAttemptTime', last?.sentMs ?? parked?.lastMs),
    ...timeOf('recordTime', recordMs),
    key: attempts?.key ?? '',
    retryBatch: batch === '' ? '' : `${subject.name}/retryBatches/${batch}`,
    failureGroup: status.outcome === Outcome.FAILED ? (row?.failure_group ?? '') : '',
  })
}

/** 0 stands for a time that is not known. */
const timeOf = (name: 'nextAttemptTime' | 'endTime' | 'lastAttemptTime' | 'recordTime', ms: number | undefined) =>
  ms ? { [name]: timestampFromMs(ms) } : {}
