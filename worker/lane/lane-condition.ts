import { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { RateLimit } from '../deliver/rate-limit.ts'
import type { Lane } from './lane.ts'
import type { Roster } from './roster.ts'
import type { RosterParts } from './roster-parts.ts'

/** Why a running lane does not move, or what else is to be known of it: the first that applies. */
export function laneCondition(
  roster: Roster,
  parts: Pick<RosterParts, 'logIsOpen' | 'logIsSpooling'>,
  lane: Lane | undefined,
): LaneCondition {
  const { endpoint } = roster
  const { trouble } = roster.route.access
  if (trouble !== undefined) return trouble.condition
  if (lane?.schemaWaits.trouble !== undefined) return LaneCondition.SCHEMAS_UNAVAILABLE
  if (endpoint.breaker.state !== 'CLOSED') return LaneCondition.BREAKER_OPEN
  if (lane?.lettersTrouble !== undefined) return LaneCondition.DEAD_LETTERS_UNAVAILABLE
  if (lane !== undefined && lane.parking.blocked > 0) return LaneCondition.BLOCKED
  if (lane !== undefined && lane.parking.exhausted > 0) return LaneCondition.WAITING_FOR_SUCCESS
  if (lane?.parkedFull) return LaneCondition.PARKED_FULL
  if (!parts.logIsOpen()) return LaneCondition.LOG_UNAVAILABLE
  const now = performance.now()
  if (endpoint.yieldsTo(roster, now) !== undefined && hasWork(lane)) return LaneCondition.YIELDING_TO_LIVE
  if (waitsForRate(endpoint.rateOf(roster), lane, now)) return LaneCondition.RATE_LIMITED
  return parts.logIsSpooling() ? LaneCondition.LOG_SPOOLING : LaneCondition.UNSPECIFIED
}

/** More about what laneCondition says. */
export function conditionMessage(roster: Roster, lane: Lane | undefined, condition: LaneCondition): string | undefined {
  const { endpoint, route } = roster
  if (condition === LaneCondition.DEAD_LETTERS_UNAVAILABLE) return lane?.lettersTrouble
  if (condition === LaneCondition.BLOCKED) return lane?.parking.describeBlocked()
  if (condition === LaneCondition.SCHEMAS_UNAVAILABLE) return lane?.schemaWaits.trouble
  if (condition === LaneCondition.YIELDING_TO_LIVE)
    return `endpoint_group ${endpoint.group}: ${endpoint.yieldsTo(roster, performance.now())} takes what may be sent now`
  return condition === LaneCondition.RATE_LIMITED ? endpoint.rateOf(roster)?.text : route.access.trouble?.message
}

/** Whether the lane has something that it would send, if it might. */
export const hasWork = (lane: Lane | undefined): boolean =>
  lane !== undefined && !lane.stopped && (lane.intake.records > 0 || lane.loaded.length > 0)

/** Whether something of the lane would be sent if the rate limit let it. */
export function waitsForRate(rate: RateLimit | undefined, lane: Lane | undefined, now: number): boolean {
  return rate?.holdsBack(now) === true && hasWork(lane)
}
