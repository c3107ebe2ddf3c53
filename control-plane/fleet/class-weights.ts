import type { LaneRecord } from './lane-table.ts'
import { heldBy, WHOLE_PPM } from './rate-shares.ts'
import type { Workers } from './workers.ts'

/** LIVE never has all of it where something is BACKFILL. */
const LIVE_MAX_PPM = 950_000
/** Of what LIVE does not ask for, workers with LIVE lanes have so much nevertheless: what comes next need not wait for another division. */
const READY_PART = 0.1

/**
 * What workers should have of a group's limits, as numbers in proportion. Each has what its LIVE lanes ask for, and the rest goes to the
 * lanes that are BACKFILL. Without any of them, it is as if all were of one use case.
 */
export function classWeights(
  live: readonly LaneRecord[],
  backfill: readonly LaneRecord[],
  workers: Workers,
): ReadonlyMap<string, number> {
  const [liveHeld, backfillHeld] = [heldBy(live), heldBy(backfill)]
  if (backfillHeld.size === 0) return liveHeld
  if (liveHeld.size === 0) return backfillHeld
  const demands = demandsOf(live, workers)
  const demand = sum(demands)
  const shrink = Math.min(1, LIVE_MAX_PPM / Math.max(1, demand))
  const rest = WHOLE_PPM - demand * shrink
  const weights = new Map<string, number>()
  const add = (worker: string, weight: number): unknown => weights.set(worker, (weights.get(worker) ?? 0) + weight)
  for (const [worker, ppm] of demands) add(worker, ppm * shrink)
  for (const [worker, lanes] of liveHeld) add(worker, (rest * READY_PART * lanes) / sum(liveHeld))
  for (const [worker, lanes] of backfillHeld) add(worker, (rest * (1 - READY_PART) * lanes) / sum(backfillHeld))
  return weights
}

/** What each worker's LIVE use cases ask for, as they last said: a use case says the same in each of its lanes. */
function demandsOf(live: readonly LaneRecord[], workers: Workers): Map<string, number> {
  const demands = new Map<string, number>()
  for (const worker of workers.all()) {
    const byUseCase = new Map<string, number>()
    for (const { key, id } of live) {
      const ppm = worker.reports.get(key)?.liveDemandPpm ?? 0
      if (ppm > 0) byUseCase.set(id.uid, Math.max(ppm, byUseCase.get(id.uid) ?? 0))
    }
    if (byUseCase.size > 0) demands.set(worker.instance, sum(byUseCase))
  }
  return demands
}

const sum = (numbers: ReadonlyMap<string, number>): number => [...numbers.values()].reduce((total, each) => total + each, 0)
