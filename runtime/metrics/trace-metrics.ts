import type { SpanQueue } from '../tracing/span-queue.ts'
import type { Metrics } from './metrics.ts'

type Counts = Pick<SpanQueue, 'exported' | 'failed' | 'dropped' | 'waiting'>

/** What becomes of spans; all 0 while nothing is traced. */
export function registerTraces(metrics: Metrics, read: () => Counts | undefined): void {
  metrics.counter(
    {
      name: 'ferry_trace_spans_total',
      help: 'Spans by what became of them: taken by the collector, not taken by it, or dropped because too many waited',
      labels: { result: '`exported`, `failed`, `dropped`' },
    },
    () => {
      const { exported, failed, dropped } = read() ?? { exported: 0, failed: 0, dropped: 0 }
      return Object.entries({ exported, failed, dropped }).map(([result, count]) => [{ result }, count] as const)
    },
  )
  metrics.gauge({ name: 'ferry_trace_waiting_spans', help: 'Spans that wait for the collector' }, () => read()?.waiting ?? 0)
}
