import { readFileSync } from 'node:fs'
import { collectDefaultMetrics } from 'prom-client'
import type { Metrics } from './metrics.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }

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
