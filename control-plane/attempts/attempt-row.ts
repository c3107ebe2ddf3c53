import { create } from '@bufbuild/protobuf'
import { DurationSchema, timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  type Attempt,
  AttemptSchema,
  type Outcome,
  type Purpose,
  type Reason,
  type Trigger,
} from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { Subject } from './subject.ts'

/** A row of `attempts` as `attemptColumns` selects it. */
export interface AttemptRow {
  readonly partition: number
  readonly offset: number
  readonly round: number
  readonly epoch: number
  readonly attempt: number
  readonly sent_ms: number
  readonly trigger_number: Trigger
  readonly retry_batch: string
  readonly outcome_number: Outcome
  readonly reason_number: Reason
  readonly status: number
  readonly latency_us: number
  readonly record_ms: number
  readonly key: string
  readonly method: string
  readonly url: string
  readonly request_headers: Record<string, string>
  readonly request_body: string
  readonly response_headers: Record<string, string>
  readonly response_body: string
  readonly error: string
  readonly worker: string
  readonly revision: number
  readonly expire_s: number
  readonly request_id: number
  readonly item: number
  readonly purpose_number: Purpose
  readonly replay: string
}

// No name here is a column's own name with another meaning: ClickHouse would take it in WHERE and ORDER BY too.
export const attemptColumns = `partition, offset, round, epoch, attempt, toUnixTimestamp64Milli(attempt_time) AS sent_ms,
  CAST(trigger, 'Int8') AS trigger_number, retry_batch, CAST(outcome, 'Int8') AS outcome_number, CAST(reason, 'Int8') AS reason_number,
  status, latency_us, toUnixTimestamp64Milli(record_time) AS record_ms, key, method, url, request_headers, request_body,
  response_headers, response_body, error, worker, revision, toUnixTimestamp(expire_time) AS expire_s, request_id, item, CAST(purpose, 'Int8') AS purpose_number, replay`

export function attemptOf(subject: Subject, row: AttemptRow): Attempt {
  return create(AttemptSchema, {
    useCase: subject.name,
    uid: subject.uid,
    cluster: subject.cluster,
    topic: subject.topic,
    partition: row.partition,
    offset: BigInt(row.offset),
    round: row.round,
    epoch: BigInt(row.epoch),
    attempt: row.attempt,
    trigger: row.trigger_number,
    retryBatch: row.retry_batch === '' ? '' : `${subject.name}/retryBatches/${row.retry_batch}`,
    outcome: row.outcome_number,
    reason: row.reason_number,
    status: row.status,
    attemptTime: timestampFromMs(row.sent_ms),
    latency: durationOf(row.latency_us),
    recordTime: timestampFromMs(row.record_ms),
    key: row.key,
    method: row.method,
    url: row.url,
    requestHeaders: row.request_headers,
    requestBody: row.request_body,
    responseHeaders: row.response_headers,
    responseBody: row.response_body,
    error: row.error,
    worker: row.worker,
    revision: BigInt(row.revision),
    expireTime: timestampFromMs(row.expire_s * 1000),
    requestId: BigInt(row.request_id),
    item: row.item,
    purpose: row.purpose_number,
  })
}

const durationOf = (us: number) => create(DurationSchema, { seconds: BigInt(Math.floor(us / 1e6)), nanos: (us % 1e6) * 1000 })
