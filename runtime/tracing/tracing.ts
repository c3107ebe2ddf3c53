import {
  type Attributes,
  createTraceState,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanKind,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  type IdGenerator,
  ParentBasedSampler,
  RandomIdGenerator,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { ferryVersion as version } from '../version.ts'
import { SpanQueue, type SpanQueueOptions } from './span-queue.ts'

export interface TracingOptions extends SpanQueueOptions {
  /** Where spans go, by OTLP over HTTP with protobuf. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Of traces that begin here: what others have begun is recorded when they record it. */
  readonly ratio: number
  readonly process: 'control-plane' | 'worker'
  readonly instance: string
}

export interface SpanStart {
  readonly name: string
  readonly kind: SpanKind
  readonly attributes: Attributes
  /** Undefined: the trace begins here. */
  readonly parent: SpanContext | undefined
  /** Of a trace that begins here; undefined: a random one. */
  readonly traceId?: string
  readonly links?: Link[]
}

/** 32 hexadecimal digits, chosen by the caller once, or random. */
class Ids implements IdGenerator {
  next: string | undefined
  readonly #random = new RandomIdGenerator()

  generateTraceId(): string {
    const id = this.next ?? this.#random.generateTraceId()
    this.next = undefined
    return id
  }

  generateSpanId(): string {
    return this.#random.generateSpanId()
  }
}

/** Makes the spans of one process and sends them to a collector. */
export class Tracing {
  readonly queue: SpanQueue
  readonly #ids = new Ids()
  readonly #sampler: TraceIdRatioBasedSampler
  readonly #provider: TracerProvider
  readonly #tracer: ReturnType<TracerProvider['getTracer']>

  constructor({ url, headers, ratio, process, instance, ...options }: TracingOptions) {
    const exporter = new OTLPTraceExporter({
      url,
      headers: { ...headers },
      timeoutMillis: options.timeoutMs,
      concurrencyLimit: 1,
    })
    this.queue = new SpanQueue(exporter, options)
    this.#sampler = new TraceIdRatioBasedSampler(ratio)
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({
        ...{ 'service.name': `ferry-${process}`, 'service.namespace': 'ferry' },
        ...{ 'service.version': version, 'service.instance.id': instance },
      }),
      sampler: new ParentBasedSampler({ root: this.#sampler }),
      idGenerator: this.#ids,
      spanProcessors: [this.queue],
    })
    this.#tracer = this.#provider.getTracer('ferry', version)
  }

  /** Whether a span with this parent, or without one in this trace, is recorded: costs next to nothing. */
  wants(traceparent: string | undefined, traceId: string | undefined): boolean {
    if (traceparent !== undefined) return isSampled(traceparent)
    return traceId === undefined || this.#samples(traceId)
  }

  #samples(traceId: string): boolean {
    return this.#sampler.shouldSample(ROOT_CONTEXT, traceId).decision !== SamplingDecision.NOT_RECORD
  }

  /** Undefined when it is not to be recorded. */
  start({ name, kind, attributes, parent, traceId = this.#ids.generateTraceId(), links = [] }: SpanStart): Span | undefined {
    if (parent === undefined) {
      if (!this.#samples(traceId)) return undefined
      this.#ids.next = traceId
      return this.#tracer.startSpan(name, { kind, attributes, links, root: true }, ROOT_CONTEXT)
    }
    if ((parent.traceFlags & TraceFlags.SAMPLED) === 0) return undefined
    return this.#tracer.startSpan(name, { kind, attributes, links }, trace.setSpanContext(ROOT_CONTEXT, parent))
  }

  /** Sends what waits, as far as the collector takes it in time. */
  async close(): Promise<void> {
    await this.#provider.shutdown().catch(() => {})
  }
}

const flagsOf = (traceparent: string): number => Number.parseInt(traceparent.slice(53, 55), 16)
const isSampled = (traceparent: string): boolean => (flagsOf(traceparent) & TraceFlags.SAMPLED) !== 0

/** Of headers that are known to be valid. */
export function spanContextOf(traceparent: string, tracestate: string | undefined): SpanContext {
  return {
    traceId: traceparent.slice(3, 35),
    spanId: traceparent.slice(36, 52),
    traceFlags: flagsOf(traceparent),
    isRemote: true,
    ...(tracestate !== undefined && { traceState: createTraceState(tracestate) }),
  }
}

export const traceparentOf = ({ traceId, spanId }: SpanContext): string => `00-${traceId}-${spanId}-01`
