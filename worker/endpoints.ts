import { Concurrency } from '../proto/gen/ferry/v1/use_case_pb.ts'
import type { EndpointGroup, LaneAssignment } from '../proto/gen/ferry/v1/worker_service_pb.ts'
import { type Endpoint, OwnEndpoint } from './deliver/endpoint.ts'
import type { RatePlan } from './deliver/rate-limit.ts'
import type { Route } from './deliver/route.ts'
import { SharedEndpoint } from './deliver/shared-endpoint.ts'
import type { Roster } from './lane/roster.ts'

/** One of each use case's assignments: what they say of its endpoint is the same in all. */
export type EndpointShares = ReadonlyMap<string, LaneAssignment>

/** The endpoints of this worker's use cases: each has its own, and those of a group have one together. */
export class Endpoints {
  readonly #shared = new Map<string, SharedEndpoint>()

  /** The use case works by this assignment from now on. */
  place(roster: Roster, assignment: LaneAssignment): void {
    const group = assignment.endpointGroup
    if (roster.endpoint.group !== group?.name) this.#move(roster, group?.name)
    const { endpoint } = roster
    if (endpoint instanceof SharedEndpoint) endpoint.sort()
    const isAdaptive = group === undefined ? roster.route.plan.isAdaptive : group.concurrency === Concurrency.ADAPTIVE
    const maxInFlight = Math.max(1, assignment.maxInFlight)
    endpoint.shareInFlight({ maxInFlight, wholeMaxInFlight: group?.maxInFlight ?? maxInFlight, isAdaptive })
  }

  /** Nothing of the use case is here any more. */
  leave(roster: Roster): void {
    const { endpoint } = roster
    if (!(endpoint instanceof SharedEndpoint)) return
    endpoint.leave(roster)
    if (endpoint.isEmpty) this.#shared.delete(endpoint.group)
  }

  #move(roster: Roster, name: string | undefined): void {
    this.leave(roster)
    if (name === undefined) {
      roster.moveTo(new OwnEndpoint())
      return
    }
    const now = performance.now()
    const endpoint = this.#shared.get(name) ?? new SharedEndpoint(name, now)
    this.#shared.set(name, endpoint)
    endpoint.join(roster, now)
    roster.moveTo(endpoint)
  }

  /** Shares of rate limits, at once: an endpoint that nobody has an assignment for has none. */
  shareRates(rosters: readonly Roster[], shares: EndpointShares, now: number): void {
    const told = new Map<Endpoint, { plan: RatePlan | undefined; ppm: number }>()
    for (const { endpoint, route } of rosters) {
      const own = shares.get(route.plan.uid)
      const isOf = own !== undefined && own.endpointGroup?.name === endpoint.group
      const plan = endpoint.group === undefined ? route.plan.rateLimit : rateOf(own?.endpointGroup)
      if (isOf) told.set(endpoint, { plan, ppm: own.rateSharePpm })
      else if (!told.has(endpoint)) told.set(endpoint, { plan: planOf(endpoint, route), ppm: 0 })
    }
    for (const [endpoint, { plan, ppm }] of told) endpoint.shareRate(plan, ppm, now)
  }
}

const planOf = (endpoint: Endpoint, { plan }: Route): RatePlan | undefined =>
  endpoint instanceof SharedEndpoint ? endpoint.plan : plan.rateLimit

function rateOf(group: EndpointGroup | undefined): RatePlan | undefined {
  const limit = group?.rateLimit
  return limit && { recordsPerSecond: limit.recordsPerSecond, bytesPerSecond: limit.bytesPerSecond }
}
