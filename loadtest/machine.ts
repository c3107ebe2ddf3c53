import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type CpuTime, parseMachineBusyMs, parseProcessStat, parseRssMaxMiB } from './proc-files.ts'
import { addCpu, totalMs } from './statistics.ts'

const quietShareMax = 0.15
const quietCheckMs = 300
const quietMsMax = 20_000

export const cpuOf = (pids: readonly number[]): CpuTime =>
  addCpu(pids.map((pid) => parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))))

/** Of the largest of them. */
export const rssMaxMiBOf = (pids: readonly number[]): number =>
  Math.max(...pids.map((pid) => parseRssMaxMiB(readFileSync(`/proc/${pid}/status`, 'utf8'))))

const machineBusyMs = (): number => parseMachineBusyMs(readFileSync('/proc/stat', 'utf8'))

/** From now on: answers how many cores everything but these processes has kept busy, on average. */
export function watchForeign(pids: readonly number[]): () => number {
  const foreignMs = (): number => machineBusyMs() - totalMs(cpuOf(pids))
  const startedMs = performance.now()
  const before = foreignMs()
  return () => Math.max(0, (foreignMs() - before) / (performance.now() - startedMs))
}

/**
 * Waits until these processes use next to nothing, so that what one run has left to do (merges, compaction) is not paid for by the
 * next one; goes on after a while in any case.
 */
export async function waitQuiet(pids: readonly number[]): Promise<void> {
  const deadline = performance.now() + quietMsMax
  const busyMs = (): number => totalMs(cpuOf(pids))
  for (let before = busyMs(), quiet = 0; quiet < 2 && performance.now() < deadline; ) {
    await sleep(quietCheckMs)
    const now = busyMs()
    quiet = (now - before) / quietCheckMs < quietShareMax ? quiet + 1 : 0
    before = now
  }
}
