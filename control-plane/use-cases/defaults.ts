import { clone, create } from '@bufbuild/protobuf'
import { type Duration, durationFromMs, durationMs } from '@bufbuild/protobuf/wkt'
import { BatchFormat, BatchItem, type Batching } from '../../proto/gen/ferry/v1/batching_pb.ts'
import { CloudEventsMode } from '../../proto/gen/ferry/v1/cloud_events_pb.ts'
import {
  Concurrency,
  type Decode,
  DeliveryClass,
  type DeliveryPolicy,
  DeliveryPolicySchema,
  type Destination,
  GiveUp,
  HttpMethod,
  Isolation,
  Jitter,
  LogBody,
  type LogPolicy,
  LogPolicySchema,
  OnExhausted,
  Ordering,
  type RetryPolicy,
  RetryPolicySchema,
  type Source,
  StartPosition,
  TombstonePolicy,
  type UseCaseSpec,
  UseCaseSpecSchema,
} from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { canonicalStatuses, effectiveRetryable, effectiveSuccess } from './status-ranges.ts'

/** What holds where a definition does not say: the contract's comments, as values. */
export const defaults = {
  cluster: 'default',
  requestTimeoutMs: 30_000,
  connectTimeoutMs: 5000,
  batchRecordsMax: 100,
  batchBytesMax: 1 << 20,
  batchWaitMs: 100,
  maxInFlight: 64,
  maxInFlightAdaptive: 1024,
  parkedMax: 100_000n,
  parkedBytesMax: 256n << 20n,
  initialIntervalMs: 5000,
  backoffCoefficient: 2,
  maximumIntervalMs: 3_600_000,
  jitterRatio: 0.2,
  maxElapsedMs: 86_400_000,
  retryAfterMaxMs: 3_600_000,
  bodyBytesMax: 16n << 20n,
  requestBodyBytesMax: 64 << 10,
  responseBodyBytesMax: 4 << 10,
  successRetentionMs: 3 * 86_400_000,
  failureRetentionMs: 30 * 86_400_000,
} as const

/**
 * The definition as it works: every default filled in, and every thing that can be written in several ways written in one. Two
 * definitions that mean the same are equal here. What is stored and answered is what was asked, not this.
 */
export function effective(asked: UseCaseSpec): UseCaseSpec {
  const spec = clone(UseCaseSpecSchema, asked)
  if (spec.source) fillSource(spec.source)
  if (spec.decode) fillDecode(spec.decode)
  if (spec.destination) fillDestination(spec.destination)
  spec.delivery = fillDelivery(spec.delivery ?? create(DeliveryPolicySchema))
  spec.retry = fillRetry(spec.retry ?? create(RetryPolicySchema))
  spec.log = fillLog(spec.log ?? create(LogPolicySchema))
  return spec
}

function fillSource(source: Source): void {
  source.cluster ||= defaults.cluster
  source.isolation ||= Isolation.READ_COMMITTED
  if (source.start.case === undefined) source.start = { case: 'position', value: StartPosition.EARLIEST }
}

function fillDecode(decode: Decode): void {
  decode.tombstone ||= TombstonePolicy.SKIP
  decode.bodyBytesMax ??= defaults.bodyBytesMax
}

function fillDestination(destination: Destination): void {
  destination.method ||= HttpMethod.POST
  if (destination.proxy && URL.canParse(destination.proxy.url)) destination.proxy.url = new URL(destination.proxy.url).href
  if (destination.cloudEvents) destination.cloudEvents.mode ||= CloudEventsMode.BINARY
  const entries = Object.entries(destination.headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  destination.headers = Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)))
  destination.requestTimeout ??= durationFromMs(defaults.requestTimeoutMs)
  destination.connectTimeout ??= shorter(defaults.connectTimeoutMs, destination.requestTimeout)
  if (destination.batch) fillBatching(destination.batch)
  if (URL.canParse(destination.url)) destination.url = new URL(destination.url).href
}

function fillBatching(batch: Batching): void {
  batch.maxRecords ??= defaults.batchRecordsMax
  batch.maxBytes ??= defaults.batchBytesMax
  batch.maxWait ??= durationFromMs(defaults.batchWaitMs)
  batch.format ||= BatchFormat.JSON_ARRAY
  batch.item ||= BatchItem.VALUE
}

function fillDelivery(delivery: DeliveryPolicy): DeliveryPolicy {
  delivery.ordering ||= Ordering.UNORDERED
  delivery.class ||= DeliveryClass.LIVE
  delivery.concurrency ||= delivery.maxInFlight === undefined ? Concurrency.ADAPTIVE : Concurrency.FIXED
  const isAdaptive = delivery.concurrency === Concurrency.ADAPTIVE
  delivery.maxInFlight ??= isAdaptive ? defaults.maxInFlightAdaptive : defaults.maxInFlight
  delivery.parkedMax ??= defaults.parkedMax
  delivery.parkedBytesMax ??= defaults.parkedBytesMax
  return delivery
}

function fillRetry(retry: RetryPolicy): RetryPolicy {
  if (retry.schedule.length > 0) {
    retry.maxRetries = retry.schedule.length
  } else {
    retry.maximumInterval ??= durationFromMs(defaults.maximumIntervalMs)
    retry.initialInterval ??= shorter(defaults.initialIntervalMs, retry.maximumInterval)
    retry.backoffCoefficient ??= defaults.backoffCoefficient
  }
  retry.jitter ||= Jitter.SPREAD
  if (retry.jitter === Jitter.SPREAD) retry.jitterRatio ??= defaults.jitterRatio
  for (const rule of retry.statusRules) rule.status = canonicalStatuses(rule.status)
  retry.maxElapsedTime ??= durationFromMs(defaults.maxElapsedMs)
  retry.successStatus = effectiveSuccess(retry.successStatus)
  retry.retryableStatus = effectiveRetryable(retry.retryableStatus)
  retry.retryAfterMax ??= durationFromMs(defaults.retryAfterMaxMs)
  retry.onExhausted ||= OnExhausted.CONTINUE
  if (retry.onExhausted === OnExhausted.CONTINUE) retry.giveUp ||= GiveUp.FUNDED
  return retry
}

function fillLog(log: LogPolicy): LogPolicy {
  log.requestBody ||= LogBody.ALL
  log.requestBodyBytesMax ??= defaults.requestBodyBytesMax
  log.responseBodyBytesMax ??= defaults.responseBodyBytesMax
  log.successRetention ??= durationFromMs(defaults.successRetentionMs)
  log.failureRetention ??= durationFromMs(defaults.failureRetentionMs)
  return log
}

/** A default that was made for a longer bound gives way to a shorter one that was asked for. */
function shorter(defaultMs: number, bound: Duration): Duration {
  return durationFromMs(Math.min(defaultMs, durationMs(bound)))
}
