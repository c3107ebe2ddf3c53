import type { Worker } from '../deploy/local/fleet.ts'
import { register, startWorkers, stopWorkers, unregister, waitLanesRun, waitUntil } from './ferry-fleet.ts'
import { livingPids } from './living-pids.ts'
import type { Load } from './load.ts'
import type { LoadTestParts } from './load-test-parts.ts'
import { watchForeign } from './machine.ts'
import { measure } from './measure.ts'
import type { FerryResult, PacedResult } from './results.ts'

const pacedSeconds = 10
const pacedShare = 0.5

export interface FerryRunOptions {
  /** Afterwards, by the same workers: records that come evenly, at half of the rate that was measured. */
  readonly paced: boolean
  readonly profileDir?: string
}

/** Measures Ferry by fresh workers and a use case of its own, which is deleted afterwards. */
export async function runFerry(parts: LoadTestParts, load: Load, options: FerryRunOptions): Promise<FerryResult> {
  const workers = await startWorkers(parts, load.workers, options.profileDir)
  const before = await parts.endpoint.countRequests()
  const { name, uid } = await register(parts, load)
  const measurement = await measure(
    {
      ...{ name: 'ferry', records: load.records },
      pids: () => livingPids(workers),
      countDelivered: async () => (load.batch > 0 ? parts.rows.count(uid) : (await parts.endpoint.countRequests()) - before),
      // Its CPU is counted until the log has everything.
      isDone: async () => (await parts.rows.count(uid)) >= load.records,
    },
    parts.processes,
  )
  // Two witnesses: the endpoint counts requests, the attempt log says which records.
  const counted = Math.min(measurement.delivered, await parts.rows.countDelivered(uid))
  const saturated = await parts.rows.latencies(uid)
  const paced = options.paced ? await runPaced(parts, load, workers, measurement.recordsPerSecond * pacedShare) : undefined
  await unregister(parts, name)
  await stopWorkers(workers)
  return {
    ...measurement,
    missing: Math.max(0, load.records - counted),
    repeated: Math.max(0, measurement.delivered - load.records),
    ...{ saturated, ...(paced && { paced }) },
  }
}

async function runPaced(
  parts: LoadTestParts,
  load: Load,
  workers: readonly Worker[],
  recordsPerSecond: number,
): Promise<PacedResult> {
  const topic = parts.uniqueName('paced')
  const records = Math.min(load.records, Math.floor(recordsPerSecond * pacedSeconds))
  await parts.topics.create(topic)
  const { name, uid } = await register(parts, { ...load, topic })
  await waitLanesRun(parts, name)
  const foreignCores = watchForeign([...workers, ...parts.processes].map(({ pid }) => pid))
  await parts.topics.pace(topic, load.payload, records, recordsPerSecond)
  await waitUntil('the log has every paced record', async () => (await parts.rows.countDelivered(uid)) >= records)
  const result = {
    ...{ recordsPerSecond: Math.round(recordsPerSecond), records },
    foreignCores: foreignCores(),
    latencies: await parts.rows.latencies(uid),
  }
  await unregister(parts, name)
  return result
}
