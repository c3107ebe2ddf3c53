import { type GroupMember, groupLimits } from '../use-cases/endpoint-group.ts'
import { classWeights } from './class-weights.ts'
import type { EndpointGroup } from './heartbeat.ts'
import type { LaneRecord } from './lane-table.ts'
import type { FleetUseCase } from './plan.ts'
import { heldBy, rateShares } from './rate-shares.ts'
import { divideInFlight } from './shares.ts'
import type { Workers } from './workers.ts'

/** What each worker may do of an endpoint's limits. */
export interface EndpointShares {
  readonly inFlight: ReadonlyMap<string, number>
  /** In millionths; undefined without a rate limit. */
  readonly ratePpm: ReadonlyMap<string, number> | undefined
  /** Undefined for a use case that has its endpoint alone. */
  readonly group: EndpointGroup | undefined
}

/** By the use case's uid: those of a group have the same. lanes: by uid. */
export function divideEndpoints(
  lanes: ReadonlyMap<string, readonly LaneRecord[]>,
  useCases: ReadonlyMap<string, FleetUseCase>,
  workers: Workers,
): Map<string, EndpointShares> {
  const shares = new Map<string, EndpointShares>()
  const groups = new Map<string, FleetUseCase[]>()
  for (const useCase of useCases.values()) {
    const { uid, member } = useCase
    if (member !== undefined) {
      const members = groups.get(member.group)
      if (members === undefined) groups.set(member.group, [useCase])
      else members.push(useCase)
    } else if (lanes.has(uid)) shares.set(uid, ownShares(useCase, lanes.get(uid)!, workers))
  }
  for (const [name, members] of groups) {
    const shared = groupShares(name, members, lanes, workers)
    for (const { uid } of members) shares.set(uid, shared)
  }
  return shares
}

function ownShares(
  { uid, maxInFlight, isRateLimited }: FleetUseCase,
  lanes: readonly LaneRecord[],
  workers: Workers,
): EndpointShares {
  const held = heldBy(lanes)
  return {
    inFlight: divideInFlight(maxInFlight, held),
    ratePpm: isRateLimited ? rateShares(uid, lanes, workers, held) : undefined,
    group: undefined,
  }
}

function groupShares(
  name: string,
  members: readonly FleetUseCase[],
  lanes: ReadonlyMap<string, readonly LaneRecord[]>,
  workers: Workers,
): EndpointShares {
  const limits = groupLimits(members.map((each) => each.member!.asked))
  const ofClass = (isBackfill: boolean): LaneRecord[] =>
    members.filter(({ member }) => (member as GroupMember).isBackfill === isBackfill).flatMap(({ uid }) => lanes.get(uid) ?? [])
  const [live, backfill] = [ofClass(false), ofClass(true)]
  const weights = classWeights(live, backfill, workers)
  const isLimited = limits.recordsPerSecond !== undefined || limits.bytesPerSecond !== undefined
  return {
    inFlight: divideInFlight(limits.maxInFlight, weights),
    ratePpm: isLimited ? rateShares(name, [...live, ...backfill], workers, weights) : undefined,
    group: { name, ...limits },
  }
}
