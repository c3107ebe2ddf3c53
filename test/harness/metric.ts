import type { Worker } from '../../deploy/local/fleet.ts'

/** A number of a worker's /metrics, without labels; 0 when it does not answer any more. */
export async function metricOf(worker: Pick<Worker, 'httpUrl'>, name: string): Promise<number> {
  try {
    const text = await (await fetch(`${worker.httpUrl}/metrics`, { signal: AbortSignal.timeout(2000) })).text()
    const line = text.split('\n').find((each) => each.startsWith(`${name} `))
    return Number(line?.slice(name.length + 1) ?? 0)
  } catch {
    return 0
  }
}
