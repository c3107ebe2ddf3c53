import type { Calls } from '../../runtime/metrics/calls.ts'
import { Metrics } from '../../runtime/metrics/metrics.ts'
import { registerProcess } from '../../runtime/metrics/process-metrics.ts'
import { registerRedis } from '../../runtime/metrics/redis-calls.ts'
import { registerTraces } from '../../runtime/metrics/trace-metrics.ts'
import { UseCaseSeries } from '../../runtime/metrics/use-case-series.ts'
import type { SpanQueue } from '../../runtime/tracing/span-queue.ts'
import type { Flight } from '../deliver/flight.ts'
import type { Plan } from '../deliver/plan.ts'
import type { Load } from '../lane/load.ts'
import { registerDeliveries } from './delivery-metrics.ts'
import { type LaneParts, registerLanes } from './lane-metrics.ts'
import { type LogParts, registerLog } from './log-metrics.ts'
import { registerSources, type SourceParts } from './source-metrics.ts'
import { UseCaseCounts } from './use-case-counts.ts'

export interface WorkerParts extends Omit<LaneParts, 'labelsOf'>, LogParts, SourceParts {
  readonly redis: Calls
  readonly heartbeats: Calls
  readonly spans: SpanQueue | undefined
  /** Whether the lease lets it read and send. */
  readonly hasLease: () => boolean
  /** Why it is not ready. */
  readonly problems: () => readonly string[]
}

export interface WorkerMetrics extends Metrics {
  readonly series: UseCaseSeries<UseCaseCounts>
  /** A request has come back, and its lane has read the answer. */
  readonly landed: (plan: Plan, flight: Flight<Load>) => void
  readonly rateLimited: (plan: Plan, ms: number) => void
  /** A takeover went on without all that the log will have. */
  readonly unlogged: () => void
}

/** All metrics of a worker. The parts are asked for when somebody looks, so that they may be made later. */
export function createWorkerMetrics(parts: () => WorkerParts, useCasesMax: number): WorkerMetrics {
  const metrics = new Metrics()
  const series = new UseCaseSeries(useCasesMax, () => new UseCaseCounts())
  let takeovers = 0
  registerProcess(metrics, 'worker')
  metrics.gauge({ name: 'ferry_ready', help: '1 while /readyz says ready' }, () => (parts().problems().length === 0 ? 1 : 0))
  registerDeliveries(metrics, () => {
    const held = new Set(parts().held.rosters.map(({ route }) => route.plan.uid))
    series.tidy((uid) => held.has(uid))
    return series
  })
  registerLanes(metrics, () => ({ ...parts(), labelsOf: ({ uid, namespace, id }) => series.of(uid, namespace, id).labels }))
  metrics.counter(
    {
      name: 'ferry_takeovers_without_log_total',
      help: 'Takeovers that did not wait any longer for the log, or for what it gets from the spool, and may have repeated records',
    },
    () => takeovers,
  )
  registerLog(metrics, parts)
  registerSources(metrics, parts)
  registerRedis(metrics, () => parts().redis)
  registerTraces(metrics, () => parts().spans)
  metrics.calls('ferry_heartbeat', 'Heartbeats to the control plane', {}, () => [[{}, parts().heartbeats]])
  metrics.gauge(
    { name: 'ferry_lease_held', help: '1 while this worker has its lease in Redis; without it nothing is read or sent' },
    () => (parts().hasLease() ? 1 : 0),
  )
  const countsOf = ({ uid, namespace, id }: Plan): UseCaseCounts => series.of(uid, namespace, id).value
  return Object.assign(metrics, {
    series,
    unlogged: () => void takeovers++,
    landed: (plan: Plan, flight: Flight<Load>) => countsOf(plan).landed(flight),
    rateLimited: (plan: Plan, ms: number) => {
      countsOf(plan).rateLimitedMs += ms
    },
  })
}
