import { hash } from 'node:crypto'
import { type Attributes, type Link, type Span, type SpanContext, SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { Outcome, Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { TraceContext } from '../../runtime/trace-context.ts'
import { spanContextOf, type Tracing, traceparentOf } from '../../runtime/tracing/tracing.ts'
import type { Plan } from '../deliver/plan.ts'
import type { Lane } from '../lane/lane.ts'
import type { Load } from '../lane/load.ts'
import type { RequestBatch } from '../lane/request-batch.ts'
import type { Attempt } from '../record/attempt.ts'

// What a trace shows of an attempt, by OpenTelemetry's conventions for messaging and for HTTP:
//
//   the record's own trace, or one that is made of the delivery's name: all its attempts are in it, whoever makes them
//     process {topic}   CONSUMER   from when the attempt is taken up until its outcome is known
//       {method}        CLIENT     the request; the endpoint's own span is its child
//
//   of a batch each record has its `process` in its own trace; the request is a child of the first of them, and linked to all
//
// An attempt that is not recorded has no span: its request carries what the record carried.

const nameOf = (numbers: Readonly<Record<string, number>>): ReadonlyMap<number, string> =>
  new Map(Object.entries(numbers).map(([name, number]) => [number, name.toLowerCase()]))
const outcomes = nameOf(Outcome)
const reasons = nameOf(Reason)

/** One attempt that is recorded. */
export class AttemptSpan {
  readonly #consume: Span | undefined
  readonly #request: Span | undefined
  /** What its request says of itself; undefined: the record's own. */
  readonly context: TraceContext | undefined

  constructor(consume: Span | undefined, request: Span | undefined, tracestate: string | undefined) {
    this.#consume = consume
    this.#request = request
    this.context = request === undefined ? undefined : { traceparent: traceparentOf(request.spanContext()), tracestate }
  }

  get spanContext(): SpanContext | undefined {
    return this.#consume?.spanContext()
  }

  /** The attempt has come to its end, which its row says. */
  end({ status, outcome, reason, requestHeaders }: Pick<Attempt, 'status' | 'outcome' | 'reason' | 'requestHeaders'>): void {
    // Without headers nothing was sent: there was no request.
    if (requestHeaders.length > 0) this.endRequest(status, reason)
    if (this.#consume === undefined) return
    const why = reasons.get(reason) ?? 'unknown'
    this.#consume.setAttribute('ferry.outcome', outcomes.get(outcome) ?? 'unknown')
    if (reason !== Reason.UNSPECIFIED) this.#consume.setAttribute('ferry.reason', why)
    if (outcome === Outcome.FAILED || outcome === Outcome.RETRY) fail(this.#consume, why)
    this.#consume.end()
  }

  /** Its request has come back. status 0: without an answer. */
  endRequest(status: number, reason: number): void {
    if (this.#request === undefined) return
    if (status > 0) this.#request.setAttribute('http.response.status_code', status)
    if (status === 0) fail(this.#request, reasons.get(reason) ?? 'unknown')
    else if (status >= 400) fail(this.#request, String(status))
    this.#request.end()
  }
}

function fail(span: Span, type: string): void {
  span.setAttribute('error.type', type)
  span.setStatus({ code: SpanStatusCode.ERROR, message: type })
}

/** Makes the spans of attempts, of those that are to be recorded. */
export class AttemptTracing {
  readonly #tracing: Tracing
  readonly #ofPlans = new WeakMap<Plan, Attributes>()

  constructor(tracing: Tracing) {
    this.#tracing = tracing
  }

  /** An attempt with a request of its own is taken up. */
  begin(load: Load, lane: Lane, given: TraceContext | undefined): AttemptSpan | undefined {
    const consume = this.#consume(load, lane, given)
    if (consume === undefined) return undefined
    const request = this.#request(lane.route.plan, load.row.attempt, consume.spanContext(), [])
    return new AttemptSpan(consume, request, given?.tracestate)
  }

  /** An attempt is taken up that shares its request with others. */
  beginItem(load: Load, lane: Lane, given: TraceContext | undefined): AttemptSpan | undefined {
    const consume = this.#consume(load, lane, given)
    return consume === undefined ? undefined : new AttemptSpan(consume, undefined, undefined)
  }

  /** Their request; undefined when none of them is recorded. */
  beginBatch({ items, first }: RequestBatch, lane: Lane): AttemptSpan | undefined {
    const links = items.flatMap(({ span }): Link[] => (span?.spanContext === undefined ? [] : [{ context: span.spanContext }]))
    if (links.length === 0) return undefined
    // In the trace of the first that is recorded, so that it is recorded, too.
    const request = this.#request(lane.route.plan, first.row.attempt, links[0]!.context, links, items.length)
    return new AttemptSpan(undefined, request, undefined)
  }

  /** The same for all requests of a revision. */
  #attributesOf(plan: Plan): Attributes {
    const known = this.#ofPlans.get(plan)
    if (known !== undefined) return known
    const { hostname, port, protocol } = new URL(plan.url)
    const attributes: Attributes = {
      ...{ 'http.request.method': plan.method, 'url.full': plan.url, 'server.address': hostname },
      'server.port': Number(port || (protocol === 'https:' ? 443 : 80)),
    }
    this.#ofPlans.set(plan, attributes)
    return attributes
  }

  #consume({ row, record }: Load, lane: Lane, given: TraceContext | undefined): Span | undefined {
    const traceId = given === undefined ? traceIdOf(`${lane.headers.keyPrefix}${row.offset}/${row.round}`) : undefined
    if (!this.#tracing.wants(given?.traceparent, traceId)) return undefined
    const { topic, partition } = lane.id
    const { namespace, id, group } = lane.route.plan
    const parent = given === undefined ? undefined : spanContextOf(given.traceparent, given.tracestate)
    const attributes: Attributes = {
      ...{ 'messaging.system': 'kafka', 'messaging.operation.name': 'process', 'messaging.operation.type': 'process' },
      ...{ 'messaging.destination.name': topic, 'messaging.destination.partition.id': String(partition) },
      ...{ 'messaging.consumer.group.name': group, 'messaging.kafka.offset': row.offset },
      ...{ 'messaging.message.body.size': record!.value?.length ?? 0, 'ferry.namespace': namespace, 'ferry.use_case': id },
      ...{ 'ferry.epoch': lane.epoch, 'ferry.round': row.round, 'ferry.attempt': row.attempt },
      ...(row.retryBatch !== '' && { 'ferry.retry_batch': row.retryBatch }),
    }
    const start = { name: `process ${topic}`, kind: SpanKind.CONSUMER, attributes, parent }
    return this.#tracing.start(traceId === undefined ? start : { ...start, traceId })
  }

  #request(plan: Plan, attempt: number, parent: SpanContext, links: Link[], records = 1): Span | undefined {
    const { method } = plan
    const attributes: Attributes = {
      ...this.#attributesOf(plan),
      ...(attempt > 1 && { 'http.request.resend_count': attempt - 1 }),
      ...(records > 1 && { 'messaging.batch.message_count': records }),
    }
    return this.#tracing.start({ name: method, kind: SpanKind.CLIENT, attributes, parent, links })
  }
}

const traceIdOf = (name: string): string => hash('sha256', name).slice(0, 32)
