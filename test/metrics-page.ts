import { readFile, writeFile } from 'node:fs/promises'
import { createControlPlaneMetrics } from '../control-plane/metrics/control-plane-metrics.ts'
import { CallMeter } from '../control-plane/serve/call-meter.ts'
import type { Metrics } from '../runtime/metrics/metrics.ts'
import { createWorkerMetrics } from '../worker/metrics/worker-metrics.ts'

const path = new URL('../docs/metrics.md', import.meta.url)
const nobody = (): never => {
  throw new Error('nobody asks for a number here')
}

export interface RegisteredMetric {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly labels: Readonly<Record<string, string>>
}

/** Every metric as the processes register it, by process; those of prom-client are Node's own. */
export function registeredMetrics(): Readonly<Record<'worker' | 'control-plane' | 'node', readonly RegisteredMetric[]>> {
  const worker = createWorkerMetrics(nobody, 0)
  const controlPlane = createControlPlaneMetrics(nobody, new CallMeter(), 0)
  const own = ({ specs }: Metrics): RegisteredMetric[] =>
    specs.map(({ name, type, help, labels = {} }) => ({ name, type, help, labels }))
  const names = new Set(worker.specs.map(({ name }) => name))
  const node = worker.registry.getMetricsAsArray().filter(({ name }) => !names.has(name)) as unknown as (RegisteredMetric & {
    readonly labelNames?: readonly string[]
  })[]
  return {
    worker: own(worker),
    'control-plane': own(controlPlane),
    node: node.map(({ name, type, help, labelNames = [] }) => ({
      ...{ name, type, help },
      labels: Object.fromEntries(labelNames.map((label) => [label, "Node's"])),
    })),
  }
}

const units = ['seconds', 'bytes', 'records', 'info'] as const

export function unitOf(name: string): string {
  const words = name.replace(/(_max|_total)+$/, '').split('_')
  return units.find((unit) => words.at(-1) === unit) ?? 'count'
}

function table(metrics: readonly RegisteredMetric[]): string {
  const rows = metrics.map(({ name, type, help, labels }) => {
    const described = Object.entries(labels).map(([label, values]) => `\`${label}\`: ${values}`)
    return `| \`${name}\` | ${type} | ${unitOf(name)} | ${help} | ${described.join('; ')} |`
  })
  return ['| metric | type | unit | what | labels, and their values |', '|---|---|---|---|---|', ...rows].join('\n')
}

/** docs/metrics.md as it should be: its tables are made of what the processes register. */
export function withMetrics(page: string): string {
  return Object.entries(registeredMetrics()).reduce(
    (text, [name, metrics]) =>
      text.replace(
        new RegExp(`(<!-- metrics: ${name} -->\n)[^]*?(<!-- end -->)`),
        (_, start, end) => `${start}\n${table(metrics)}\n\n${end}`,
      ),
    page,
  )
}

export const readMetricsPage = (): Promise<string> => readFile(path, 'utf8')

// `node test/metrics-page.ts` writes it.
if (process.argv[1] === import.meta.filename) await writeFile(path, withMetrics(await readMetricsPage()))
