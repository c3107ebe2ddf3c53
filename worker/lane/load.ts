import { Trigger } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { readTraceContext } from '../../runtime/trace-context.ts'
import { RequestHeaders } from '../deliver/request-headers.ts'
import type { Route } from '../deliver/route.ts'
import type { Attempt } from '../record/attempt.ts'
import type { EncodedLane } from '../record/encode-attempt.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import type { AttemptSpan } from '../trace/attempt-tracing.ts'
import type { Lane } from './lane.ts'
import type { Parked } from './parked.ts'
import type { RequestBatch } from './request-batch.ts'

const NOTHING = Buffer.alloc(0)
const NO_TEXTS: readonly string[] = []
const NO_HEADERS: readonly Buffer[] = []

/** What a flight carries: one delivery of one lane. One object per request slot, filled again for every request. */
export class Load {
  lane: Lane | undefined
  /** The record's slot in its lane's window; -1 for what comes out of parking. */
  slot = -1
  entry: Parked | undefined
  record: KafkaRecord | undefined
  /** The lane's columns by the revision that it is sent by. */
  encoded: EncodedLane | undefined
  /** It came out of parking. */
  isRetry = false
  /** The breaker's, to be brought back with the answer. */
  ticket = 0
  body: Buffer = NOTHING
  /** The deliveries that it carries in place of one of its own. */
  batch: RequestBatch | undefined
  /** Not with more records in one request, because a batch was refused; 0: with as many as may be. */
  together = 0
  /** The revision that it is sent by. */
  route: Route | undefined
  /** Undefined when it is not recorded. */
  span: AttemptSpan | undefined
  #headersOf: Route | undefined
  #headers: RequestHeaders | undefined
  readonly row: Attempt = {
    offset: 0,
    round: 0,
    attempt: 0,
    trigger: 0,
    outcome: 0,
    reason: 0,
    retryBatch: '',
    requestId: 0,
    item: 0,
    status: 0,
    sentMs: 0,
    latencyUs: 0,
    recordMs: 0,
    key: null,
    keyHash: 0,
    requestHeaders: NO_TEXTS,
    requestBody: NOTHING,
    responseHeaders: NO_HEADERS,
    responseBody: NOTHING,
    responseBytes: 0,
    error: '',
    packed: NOTHING,
  }

  /** Takes up the next attempt of a delivery. slot: -1 for what comes out of parking. */
  take(lane: Lane, slot: number, entry: Parked | undefined, record: KafkaRecord, encoded: EncodedLane): void {
    this.lane = lane
    this.slot = slot
    this.entry = entry
    this.isRetry = entry !== undefined
    this.together = entry === undefined ? 0 : entry.together
    this.record = record
    this.encoded = encoded
    const { row } = this
    row.offset = Number(record.offset)
    row.round = entry?.round ?? 0
    row.attempt = (entry?.attempts ?? 0) + 1
    row.trigger = triggerOf(lane, entry)
    row.retryBatch = entry?.batch ?? ''
    row.recordMs = Number(record.timestamp)
    row.key = record.key
  }

  /** Writes the headers for the attempt that it carries now. */
  address(route: Route, lane: Lane): void {
    this.route = route
    const { offset, headers: recordHeaders } = this.record!
    const headers = this.#headersBy(route)
    const trace = readTraceContext(recordHeaders)
    this.span = lane.tracing?.begin(this, lane, trace)
    headers.fill(lane.headers, offset, this.row.round, this.row.attempt, this.span?.context ?? trace)
    if (this.entry?.newKey) headers.renewKey(this.row.retryBatch)
    if (route.token !== undefined) headers.token = route.token.header
    this.row.requestHeaders = headers.logged
  }

  /** Writes headers and body for the batch that it carries now. nowMs: Unix ms. */
  addressBatch(route: Route, lane: Lane, batch: RequestBatch, nowMs: number): void {
    this.batch = batch
    this.route = route
    const { row, record } = batch.first
    const headers = this.#headersBy(route)
    const digest = batch.digest()
    headers.fillBatch(lane.headers, batch.range, digest, batch.count, row.round, row.attempt)
    this.span = lane.tracing?.beginBatch(batch, lane)
    if (this.span?.context !== undefined) headers.append('traceparent', this.span.context.traceparent)
    if (route.token !== undefined) headers.token = route.token.header
    row.requestHeaders = headers.logged
    this.row.trigger = row.trigger
    const body = batch.join()
    // To whoever finishes the request a batch is one record, whose offset is as much its own as the batch's key is.
    const whole = { ...record!, offset: `${batch.range}-${digest}` }
    this.body = route.finish === undefined ? body : route.finish(headers, lane.id, whole, body, nowMs)
  }

  #headersBy(route: Route): RequestHeaders {
    if (this.#headersOf !== route) {
      this.#headersOf = route
      this.#headers = new RequestHeaders(route.plan, route.token !== undefined, route.finish !== undefined)
    }
    return this.#headers!
  }

  /** The body as its record has become it: after this the request is as it is sent. nowMs: Unix ms. */
  carry(body: Buffer, nowMs: number): void {
    const finish = this.route!.finish
    this.body = finish === undefined ? body : finish(this.#headers!, this.lane!.id, this.#named(), body, nowMs)
    this.row.requestBody = this.body
  }

  /** With a key of its own it is another record to whoever finishes the request. */
  #named(): KafkaRecord {
    const { entry, record } = this
    return entry?.newKey ? { ...record!, offset: `${record!.offset}-${this.row.retryBatch}` } : record!
  }

  /** Whether the answer says no more than that the request's token was no longer good. now: of performance.now(). */
  isTokenRefused(status: number, now: number): boolean {
    return this.route?.token?.refuses(status, this.#headers!.token, now) ?? false
  }

  /** The answer's status says that the use case is to be paused: its revision sends nothing more. */
  pauseUseCase(status: number): void {
    const { topic, partition } = this.lane!.id
    this.route!.access.pause(`the endpoint answered ${status} to ${topic}/${partition}/${this.row.offset}`)
  }

  /** Flat; the flight sends them. */
  get headers(): string[] {
    return this.#headers!.sent
  }

  release(): void {
    this.lane = undefined
    this.entry = undefined
    this.record = undefined
    this.route = undefined
    this.span = undefined
    this.body = NOTHING
    this.together = 0
    const { row } = this
    row.key = null
    row.requestBody = row.responseBody = row.packed = NOTHING
    row.requestHeaders = NO_TEXTS
    row.responseHeaders = NO_HEADERS
    row.reason = 0
    row.error = ''
  }
}

function triggerOf({ firstTrigger }: Lane, entry: Parked | undefined): Trigger {
  if (entry === undefined) return firstTrigger
  if (entry.attempts > 0) return Trigger.RETRY
  return entry.batch === undefined ? firstTrigger : Trigger.RETRY_BATCH
}
