import { RetryBatchState } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { Metrics } from '../../runtime/metrics/metrics.ts'
import { registerProcess } from '../../runtime/metrics/process-metrics.ts'
import { registerTraces } from '../../runtime/metrics/trace-metrics.ts'
import { foldLabels, UseCaseSeries, useCaseLabels } from '../../runtime/metrics/use-case-series.ts'
import type { SpanQueue } from '../../runtime/tracing/span-queue.ts'
import type { LeaderLoop } from '../attempts/leader-loop.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { CallMeter } from '../serve/call-meter.ts'
import { registerApi } from './api-metrics.ts'
import { registerFleet } from './fleet-metrics.ts'
import { registerStores, type StoreParts } from './store-metrics.ts'

export interface ControlPlaneParts extends StoreParts {
  readonly fleet: Fleet
  readonly loops: readonly Pick<LeaderLoop, 'name' | 'rounds'>[]
  /** States of the retry batches that the leader has work with, at its last round. */
  readonly retryBatches: () => readonly RetryBatchState[]
  /** How far use cases were behind at the leader's last round. */
  readonly lags: () => ReadonlyMap<UseCase, number>
  readonly spans: SpanQueue | undefined
  /** Why this replica is not ready. */
  readonly problems: () => readonly string[]
}

const batchStates = Object.entries(RetryBatchState).flatMap(([name, state]) =>
  typeof state === 'number' && state !== 0 ? [[name.toLowerCase(), state] as const] : [],
)

/** All metrics of a control plane. The parts are asked for when somebody looks. */
export function createControlPlaneMetrics(parts: () => ControlPlaneParts, calls: CallMeter, useCasesMax: number): Metrics {
  const metrics = new Metrics()
  registerProcess(metrics, 'control-plane')
  metrics.gauge({ name: 'ferry_ready', help: '1 while /readyz says ready' }, () => (parts().problems().length === 0 ? 1 : 0))
  registerFleet(metrics, () => parts().fleet)
  registerLag(metrics, parts, useCasesMax)
  metrics.gauge(
    {
      name: 'ferry_retry_batches',
      help: 'Retry batches that the leader has work with, by state',
      labels: { state: batchStates.map(([state]) => `\`${state}\``).join(', ') },
    },
    () => {
      const found = leads(parts()) ? parts().retryBatches() : []
      return batchStates.map(([state, number]) => [{ state }, found.filter((each) => each === number).length] as const)
    },
  )
  metrics.calls(
    'ferry_leader_round',
    'Rounds of what the leader does beside leading the fleet',
    { loop: '`retry_batches`, `lag_samples`, `descriptor_sets`' },
    () => parts().loops.map(({ name, rounds }) => [{ loop: name.replaceAll(' ', '_') }, rounds] as const),
  )
  registerApi(metrics, calls)
  registerStores(metrics, parts)
  registerTraces(metrics, () => parts().spans)
  return metrics
}

const leads = ({ fleet }: ControlPlaneParts): boolean => fleet.lead() !== undefined

function registerLag(metrics: Metrics, parts: () => ControlPlaneParts, useCasesMax: number): void {
  const series = new UseCaseSeries(useCasesMax, () => undefined)
  metrics.gauge(
    {
      name: 'ferry_lag_records',
      help: 'Records between the cursors of a use case and the end of its topic, those of lanes that nobody holds included; asked every 10 s by the leader, and told by it alone',
      labels: useCaseLabels,
    },
    () => {
      const lags = leads(parts()) ? parts().lags() : new Map<UseCase, number>()
      const uids = new Set([...lags.keys()].map(({ uid }) => uid))
      series.tidy((uid) => uids.has(uid))
      const labelsOf = ({ uid, name }: UseCase) => {
        const [, namespace, , id] = name.split('/')
        return series.of(uid, namespace!, id!).labels
      }
      return foldLabels(
        lags,
        ([useCase]) => labelsOf(useCase),
        ([, records]) => records,
      )
    },
  )
}
