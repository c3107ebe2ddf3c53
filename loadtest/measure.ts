import { setTimeout as sleep } from 'node:timers/promises'
import { LoadTestError } from './load-test-error.ts'
import { cpuOf, rssMaxMiBOf, watchForeign } from './machine.ts'
import { type Figures, ratesOf, type Sample, totalMs } from './statistics.ts'

/** One way of delivering, that is being started or runs. */
export interface Measured {
  readonly name: string
  /** Processes whose cost is counted. Throws when one has ended. */
  readonly pids: () => readonly number[]
  readonly records: number
  /** Records that the endpoint has got so far. */
  readonly countDelivered: () => Promise<number>
  /** Asked when all are delivered; true when nothing is left to do for them. */
  readonly isDone: () => Promise<boolean>
}

/** A part beside it (Kafka, the endpoint), by its process. */
export interface PartProcess {
  readonly name: string
  readonly pid: number
}

export interface Measurement extends Omit<Figures, 'missing'> {
  readonly delivered: number
  /** CPU of the parts beside it, microseconds per record. */
  readonly partsUsPerRecord: Readonly<Record<string, number>>
  /** Cores kept busy by processes that have nothing to do with the load test. */
  readonly foreignCores: number
}

const pollMs = 20
/** So long may nothing at all arrive. */
const stallMsMax = 60_000

interface Snapshot extends Sample {
  readonly parts: readonly number[]
}

/** Follows a run from outside, from before its first record to its end. Records that never come end it too: they are missing. */
export async function measure(run: Measured, parts: readonly PartProcess[]): Promise<Measurement> {
  const snapshot = (records: number): Snapshot => ({
    timeMs: performance.now(),
    records,
    cpu: cpuOf(run.pids()),
    parts: parts.map(({ pid }) => totalMs(cpuOf([pid]))),
  })
  const warmUpRecords = Math.floor(run.records / 3)
  let warm: Snapshot | undefined
  let foreignCores = (): number => 0
  let last = snapshot(await run.countDelivered())
  let movedMs = last.timeMs
  while (last.records < run.records && last.timeMs - movedMs < stallMsMax) {
    await sleep(pollMs)
    const now = snapshot(await run.countDelivered())
    if (now.records > last.records) movedMs = now.timeMs
    last = now
    if (now.records < warmUpRecords || warm !== undefined) continue
    warm = now
    foreignCores = watchForeign([...run.pids(), ...parts.map(({ pid }) => pid)])
  }
  if (warm?.records === run.records)
    throw new LoadTestError(
      `${run.name}: all ${run.records} records came within ${pollMs} ms of the warm-up: ask for more --records`,
    )
  if (warm === undefined || warm.records === last.records)
    throw new LoadTestError(
      `${run.name}: ${last.records} of ${run.records} records came, then nothing for ${stallMsMax / 1000} s`,
    )
  const deadline = performance.now() + stallMsMax
  while (!(await run.isDone()) && performance.now() < deadline) await sleep(pollMs)
  const done = snapshot(last.records)
  return {
    ...ratesOf(warm, last, done),
    rssMaxMiB: rssMaxMiBOf(run.pids()),
    delivered: await run.countDelivered(),
    partsUsPerRecord: partsUsPerRecord(warm, done, parts),
    foreignCores: foreignCores(),
  }
}

function partsUsPerRecord(warm: Snapshot, done: Snapshot, parts: readonly PartProcess[]): Record<string, number> {
  const records = done.records - warm.records
  return Object.fromEntries(parts.map(({ name }, at) => [name, ((done.parts[at]! - warm.parts[at]!) * 1000) / records]))
}
