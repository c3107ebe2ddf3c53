import { collectDefaultMetrics } from 'prom-client'
import { ferryVersion as version } from '../version.ts'
import type { Metrics } from './metrics.ts'

/** What every process tells of itself: its release, and Node's own measures of CPU, memory, event loop and garbage collection. */
export function registerProcess(metrics: Metrics, process: 'control-plane' | 'worker'): void {
  collectDefaultMetrics({ register: metrics.registry })
  metrics.gauge(
    {
      name: 'ferry_build_info',
      help: 'Always 1; its labels say what runs',
      labels: { process: '`control-plane`, `worker`', version: 'of the release: one', node: 'of Node: one' },
    },
    () => [[{ process, version, node: globalThis.process.versions.node }, 1]],
  )
}
