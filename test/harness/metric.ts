import type { Worker } from '../../deploy/local/fleet.ts'

/** A number of a worker's /metrics, the sum over all series that have these labels; 0 when it does not answer any more. */
export async function metricOf(
  worker: Pick<Worker, 'httpUrl'>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  try {
    const text = await (await fetch(`${worker.httpUrl}/metrics`, { signal: AbortSignal.timeout(2000) })).text()
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
    const isOfName = (line: string): boolean => line.startsWith(`${name} `) || line.startsWith(`${name}{`)
    const lines = text.split('\n').filter((line) => isOfName(line) && wanted.every((each) => line.includes(each)))
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  } catch {
    return 0
  }
}
