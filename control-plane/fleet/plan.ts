import type { LaneId } from '../../runtime/lane-keys.ts'
import type { GroupMember } from '../use-cases/endpoint-group.ts'
import { assign, type PlacedLane, type PlacedWorker } from './assign.ts'
import type { LaneRecord, LaneTable } from './lane-table.ts'
import { holderOf, leaveOut, nextEpoch } from './reconcile.ts'
import type { Workers } from './workers.ts'

/** What the fleet needs to know of a use case. */
export interface FleetUseCase {
  /** Only a replay has them: where each of its lanes ends, by partition; it has no others. */
  readonly ends?: ReadonlyMap<number, number> | undefined
  readonly uid: string
  readonly state: 'ACTIVE' | 'PAUSED' | 'DELETING'
  readonly revision: number
  readonly maxInFlight: number
  readonly parkedMax: number
  readonly parkedBytesMax: number
  readonly isRateLimited: boolean
  /** Undefined: it shares its endpoint with no other. Else its own limits do not count, but the group's. */
  readonly member: GroupMember | undefined
}

/** A lane that is to be given to a worker as soon as that is written down. */
export interface Grant {
  readonly key: string
  readonly id: LaneId
  readonly instance: string
  readonly epoch: number
}

export interface PlanLimits {
  readonly movesMax: number
  readonly lanesPerWorkerMax: number
  /** False while workers are still expected to come: what nobody holds waits for them. */
  readonly mayGrant: boolean
}

export interface Plan {
  readonly grants: readonly Grant[]
  /** Workers that will be given more within moments: they should ask soon. */
  readonly expecting: ReadonlySet<string>
}

/**
 * Compares who should hold each lane with who does, and takes the next step of every lane: leaves it out of its holder's list, or
 * chooses its next holder. `nextVersion` is the version of the lists that are built after this.
 */
export function plan(
  table: LaneTable,
  workers: Workers,
  useCases: ReadonlyMap<string, FleetUseCase>,
  limits: PlanLimits,
  nowMs: number,
  wallMs: number,
  nextVersion: number,
): Plan {
  const placed: LaneRecord[] = []
  let moving = 0
  for (const lane of table.all()) {
    if (useCases.get(lane.id.uid)?.state !== 'ACTIVE') {
      lane.holding = leaveOut(lane.holding, nextVersion)
      continue
    }
    if (lane.problem !== undefined || !isPlaceable(lane, workers, nowMs)) continue
    placed.push(lane)
    const holder = lane.holding.state === 'LEAVING' ? workers.get(lane.holding.instance) : undefined
    if (holder !== undefined && workers.accepts(holder, nowMs)) moving++
  }
  const placement = assign(
    placed.map(toPlaced),
    placeableWorkers(workers, nowMs),
    currentOf(placed),
    Math.max(0, limits.movesMax - moving),
    limits.lanesPerWorkerMax,
  )
  const grants: Grant[] = []
  const expecting = new Set<string>()
  for (const lane of placed) {
    const target = placement.get(lane.key)
    if (lane.holding.state === 'GIVEN' && lane.holding.instance !== target) lane.holding = leaveOut(lane.holding, nextVersion)
    if (target === undefined || lane.holding.state === 'GIVEN') continue
    expecting.add(target)
    if (lane.holding.state === 'FREE' && limits.mayGrant && nowMs >= lane.notBeforeMs) choose(lane, target, wallMs, grants)
  }
  return { grants, expecting }
}

/** Lanes whose holder cannot be told, or has not told all of its own yet, stay where they are and out of the count. */
function isPlaceable(lane: LaneRecord, workers: Workers, nowMs: number): boolean {
  const { holding } = lane
  if (holding.state === 'UNKNOWN' || holding.state === 'INHERITED') return false
  if (holding.state !== 'GIVEN') return true
  const worker = workers.get(holding.instance)
  return worker?.isComplete === true && !workers.isSilent(worker, nowMs)
}

const toPlaced = (lane: LaneRecord): PlacedLane => ({ key: lane.key, group: lane.id.uid, weight: 1 })

const placeableWorkers = (workers: Workers, nowMs: number): PlacedWorker[] =>
  workers
    .all()
    .filter((worker) => worker.draining || workers.accepts(worker, nowMs))
    .map(({ instance, draining }) => ({ instance, draining }))

function currentOf(lanes: readonly LaneRecord[]): Map<string, string> {
  const current = new Map<string, string>()
  for (const lane of lanes) {
    const holder = lane.holding.state === 'LEAVING' ? undefined : holderOf(lane.holding)
    if (holder !== undefined) current.set(lane.key, holder)
  }
  return current
}

function choose(lane: LaneRecord, instance: string, wallMs: number, grants: Grant[]): void {
  if (lane.holding.state !== 'FREE') return
  const epoch = nextEpoch(wallMs, lane.highestEpoch)
  if (epoch === undefined) {
    lane.problem = `epoch ${lane.highestEpoch} was seen, and none is left above it: what wrote it is not Ferry`
    return
  }
  lane.highestEpoch = epoch
  lane.holding = { state: 'GRANTING', instance, epoch, releasedVersion: lane.holding.releasedVersion }
  grants.push({ key: lane.key, id: lane.id, instance, epoch })
}

/** The grants are written down: the lanes go into the lists. */
export function giveGranted(table: LaneTable, grants: readonly Grant[]): void {
  for (const grant of grants) {
    const lane = table.get(grant.key)
    if (lane?.holding.state !== 'GRANTING' || lane.holding.epoch !== grant.epoch) continue
    const { instance, epoch, releasedVersion } = lane.holding
    lane.holding = { state: 'GIVEN', instance, epoch, releasedVersion }
  }
}

/** The grants may or may not be written down, and were told to nobody: their epochs are lost, the lanes are free again. */
export function dropGrants(table: LaneTable, grants: readonly Grant[]): void {
  for (const grant of grants) {
    const lane = table.get(grant.key)
    if (lane?.holding.state !== 'GRANTING' || lane.holding.epoch !== grant.epoch) continue
    lane.holding = { state: 'FREE', releasedVersion: lane.holding.releasedVersion }
  }
}
