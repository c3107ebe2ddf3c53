import { join } from 'node:path'
import { LocalProcess } from '../deploy/local/local-process.ts'
import { livingPids } from './living-pids.ts'
import type { Load } from './load.ts'
import type { LoadTestParts } from './load-test-parts.ts'
import { type Measurement, measure } from './measure.ts'
import type { ConsumerOptions, LimitOptions } from './peers/peer-options.ts'
import type { LimitVariant, PeerResult } from './results.ts'

const stopMsMax = 30_000

/** Measures undici alone, by processes that share the records. */
export async function runLimit(parts: LoadTestParts, load: Load, variant: LimitVariant): Promise<PeerResult> {
  const { workers, payload, records } = load
  const options = Array.from(
    { length: workers },
    (_, at): LimitOptions => ({
      ...{ url: parts.endpoint.url, payload, connections: variant.connections },
      inFlight: shareOf(variant.inFlight, workers, at),
      records: shareOf(records, workers, at),
    }),
  )
  const measurement = await runPeer(parts, 'limit', records, options)
  return { ...measurement, missing: Math.max(0, records - measurement.delivered) }
}

/** Measures a hand-written consumer, by processes that are members of one group. */
export async function runConsumer(parts: LoadTestParts, load: Load, name: 'naive' | 'tuned'): Promise<PeerResult> {
  const { workers, payload, records, topic, inFlight } = load
  const group = parts.uniqueName(name)
  const options = Array.from(
    { length: workers },
    (_, at): ConsumerOptions => ({
      ...{ url: parts.endpoint.url, payload, brokers: parts.stack.kafkaBrokers, topic, group },
      inFlight: shareOf(inFlight, workers, at),
    }),
  )
  const measurement = await runPeer(parts, name, records, options)
  // Two witnesses: the endpoint counts requests, the group's offsets say which records.
  const counted = Math.min(measurement.delivered, await parts.topics.countCommitted(group, topic))
  return { ...measurement, missing: Math.max(0, records - counted) }
}

async function runPeer(
  parts: LoadTestParts,
  name: 'limit' | 'naive' | 'tuned',
  records: number,
  options: readonly (LimitOptions | ConsumerOptions)[],
): Promise<Measurement> {
  const before = await parts.endpoint.countRequests()
  const program = join(import.meta.dirname, 'peers', `${name}.ts`)
  const processes = options.map((each) =>
    parts.keep(
      new LocalProcess({
        name: parts.uniqueName(name),
        command: process.execPath,
        args: [program, JSON.stringify(each)],
        dataDir: parts.dataDir,
        isReady: async () => true,
      }),
    ),
  )
  const run = {
    ...{ name, records },
    pids: () => livingPids(processes),
    countDelivered: async () => (await parts.endpoint.countRequests()) - before,
    isDone: async () => true,
  }
  const measurement = await measure(run, parts.processes)
  await Promise.all(processes.map((each) => each.stop(stopMsMax)))
  return measurement
}

/** A whole share of `total` for each of `count`, the first ones with what is left over. */
const shareOf = (total: number, count: number, at: number): number => Math.floor(total / count) + (at < total % count ? 1 : 0)
