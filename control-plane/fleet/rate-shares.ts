import type { LaneRecord } from './lane-table.ts'
import { holderOf } from './reconcile.ts'
import type { Worker, Workers } from './workers.ts'

/** All of a rate limit. */
export const WHOLE_PPM = 1_000_000

export interface RateHolder {
  /** What it should have, in proportion to the others': lanes that it holds, for example. More than 0. */
  readonly weight: number
  /** The largest share that it may be sending by, in millionths. */
  readonly claimPpm: number
}

/**
 * Divides a rate limit over holders in proportion to their weights, so that what they may be sending by never comes to more than the
 * whole: whose share is to be smaller is told so at once, and whose is to be larger has what nobody claims any more.
 */
export function divideRate(holders: ReadonlyMap<string, RateHolder>, hasUnknownHolders: boolean): Map<string, number> {
  const sorted = [...holders].sort(([a], [b]) => (a < b ? -1 : 1))
  const weights = sorted.reduce((sum, [, each]) => sum + each.weight, 0)
  const claimed = sorted.reduce((sum, [, each]) => sum + each.claimPpm, 0)
  let free = hasUnknownHolders ? 0 : Math.max(0, WHOLE_PPM - claimed)
  const shares = new Map<string, number>()
  for (const [holder, each] of sorted) {
    const target = Math.floor((WHOLE_PPM * each.weight) / weights)
    const more = Math.min(free, Math.max(0, target - each.claimPpm))
    free -= more
    shares.set(holder, Math.min(target, each.claimPpm + more))
  }
  return shares
}

/** How many of these lanes each worker holds: whoever may still be sending counts, so that sums stay within limits while a lane moves. */
export function heldBy(lanes: readonly LaneRecord[]): Map<string, number> {
  const held = new Map<string, number>()
  for (const { holding } of lanes) {
    const instance = holderOf(holding)
    if (instance !== undefined) held.set(instance, (held.get(instance) ?? 0) + 1)
  }
  return held
}

/**
 * Each worker's share of one rate limit, in millionths. key: what the limit is of, by which claims are known; lanes: all that it is for;
 * weights: of everybody who may be sending for them.
 */
export function rateShares(
  key: string,
  lanes: readonly LaneRecord[],
  workers: Workers,
  weights: ReadonlyMap<string, number>,
): Map<string, number> {
  // A new leader has not read yet who holds it.
  let hasUnknownHolders = lanes.some(({ holding }) => holding.state === 'UNKNOWN')
  const holders = new Map<string, RateHolder>()
  for (const [instance, weight] of weights) {
    const claimPpm = claimOf(key, workers.get(instance), lanes)
    hasUnknownHolders ||= claimPpm === undefined
    // Whoever is not known yet counts, so that the others' shares are not larger for a moment.
    holders.set(instance, { weight, claimPpm: claimPpm ?? 0 })
  }
  return divideRate(holders, hasUnknownHolders)
}

/** Undefined while this leader does not know it: an earlier one has told the worker its share. */
function claimOf(key: string, worker: Worker | undefined, lanes: readonly LaneRecord[]): number | undefined {
  if (worker?.isComplete !== true) return undefined
  return lanes.reduce((most, lane) => Math.max(most, worker.reports.get(lane.key)?.rateSharePpm ?? 0), worker.rateClaims.of(key))
}
