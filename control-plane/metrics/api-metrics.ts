import type { Metrics } from '../../runtime/metrics/metrics.ts'
import type { CallMeter } from '../serve/call-meter.ts'

const labels = { service: 'of the contract: 5', method: 'of the contract: some ten a service' }

/** What is asked of this replica, over gRPC and HTTP alike. */
export function registerApi(metrics: Metrics, meter: CallMeter): void {
  metrics.counter(
    {
      name: 'ferry_api_calls_total',
      help: 'Calls that were answered, by code',
      labels: { ...labels, code: "gRPC's: `OK` and 16 others" },
    },
    () =>
      [...meter.methods].flatMap(({ service, method, codes }) =>
        [...codes].map(([code, count]) => [{ service, method, code }, count] as const),
      ),
  )
  metrics.histogram({ name: 'ferry_api_call_duration_seconds', help: 'Calls: how long they took', labels }, () =>
    [...meter.methods].map(({ service, method, seconds }) => [{ service, method }, seconds] as const),
  )
  metrics.gauge({ name: 'ferry_api_calls_in_flight', help: 'Calls that are on the way', labels }, () =>
    [...meter.methods].map(({ service, method, inFlight }) => [{ service, method }, inFlight] as const),
  )
}
