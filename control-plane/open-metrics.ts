import type { Calls } from '../runtime/metrics/calls.ts'
import type { Metrics } from '../runtime/metrics/metrics.ts'
import type { LogReader } from './attempts/log-reader.ts'
import type { TopicSource } from './fleet/topic-source.ts'
import { type ControlPlaneParts, createControlPlaneMetrics } from './metrics/control-plane-metrics.ts'
import type { RetryBatchRunner } from './retry-batches/run.ts'
import { CallMeter } from './serve/call-meter.ts'

interface Measured extends Omit<ControlPlaneParts, 'redis' | 'queries' | 'questions' | 'retryBatches'> {
  readonly connections: { readonly redisCalls: Calls; readonly source: Pick<TopicSource, 'questions'> }
  readonly reader: Pick<LogReader, 'queries'>
  readonly runner: Pick<RetryBatchRunner, 'states'>
}

/** The metrics of this process, and what counts its calls. */
export function openMetrics(measured: Measured, useCasesMax: number): { readonly metrics: Metrics; readonly calls: CallMeter } {
  const { connections, reader, runner } = measured
  const calls = new CallMeter()
  const parts: ControlPlaneParts = {
    ...measured,
    ...{ redis: connections.redisCalls, questions: connections.source.questions },
    ...{ queries: reader.queries, retryBatches: () => runner.states },
  }
  return { calls, metrics: createControlPlaneMetrics(() => parts, calls, useCasesMax) }
}
