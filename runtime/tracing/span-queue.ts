import type { BatchSpanProcessorOptions, ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace'
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace'

export interface SpanQueueOptions {
  readonly queueSpansMax: number
  readonly batchSpansMax: number
  readonly delayMs: number
  readonly timeoutMs: number
}

/** Ended spans on their way to a collector: bounded, counted, and never waited for. What finds no room is dropped. */
export class SpanQueue implements SpanProcessor {
  /** Spans that wait to be exported. */
  waiting = 0
  exported = 0
  /** The collector did not take them. */
  failed = 0
  /** There was no room for them. */
  dropped = 0
  readonly #queueSpansMax: number
  readonly #batches: BatchSpanProcessor

  constructor(exporter: SpanExporter, { queueSpansMax, batchSpansMax, delayMs, timeoutMs }: SpanQueueOptions) {
    this.#queueSpansMax = queueSpansMax
    const options: BatchSpanProcessorOptions = {
      ...{ exporter: this.#counted(exporter), maxQueueSize: queueSpansMax, maxExportBatchSize: batchSpansMax },
      ...{ scheduledDelayMillis: delayMs, exportTimeoutMillis: timeoutMs },
    }
    this.#batches = new BatchSpanProcessor(options)
  }

  #counted(exporter: SpanExporter): SpanExporter {
    return {
      export: (spans, done) => {
        this.waiting -= spans.length
        exporter.export(spans, (result) => {
          if (result.code === 0) this.exported += spans.length
          else this.failed += spans.length
          done(result)
        })
      },
      shutdown: () => exporter.shutdown(),
    }
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.waiting >= this.#queueSpansMax) {
      this.dropped++
      return
    }
    this.waiting++
    this.#batches.onEnd(span)
  }

  forceFlush(): Promise<void> {
    return this.#batches.forceFlush()
  }

  shutdown(): Promise<void> {
    return this.#batches.shutdown()
  }
}
