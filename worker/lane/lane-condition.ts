import { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { RateLimit } from '../deliver/rate-limit.ts'
import type { Lane } from './lane.ts'
import type { Roster, RosterParts } from './roster.ts'

/** What of a lane's roster holds it back. */
type Held = Pick<Roster, 'route' | 'breaker' | 'rate'>

/** Why a running lane does not move, or what else is to be known of it: the first that applies. */
export function laneCondition(
  { route, breaker, rate }: Held,
  parts: Pick<RosterParts, 'logIsOpen' | 'logIsSpooling'>,
  lane: Lane | undefined,
): LaneCondition {
  const { trouble } = route.access
  if (trouble !== undefined) return trouble.condition
  if (lane?.schemaWaits.trouble !== undefined) return LaneCondition.SCHEMAS_UNAVAILABLE
  if (breaker.state !== 'CLOSED') return LaneCondition.BREAKER_OPEN
  if (lane?.lettersTrouble !== undefined) return LaneCondition.DEAD_LETTERS_UNAVAILABLE
  if (lane !== undefined && lane.parking.blocked > 0) return LaneCondition.BLOCKED
  if (lane !== undefined && lane.parking.exhausted > 0) return LaneCondition.WAITING_FOR_SUCCESS
  if (lane?.parkedFull) return LaneCondition.PARKED_FULL
  if (!parts.logIsOpen()) return LaneCondition.LOG_UNAVAILABLE
  if (waitsForRate(rate, lane, performance.now())) return LaneCondition.RATE_LIMITED
  return parts.logIsSpooling() ? LaneCondition.LOG_SPOOLING : LaneCondition.UNSPECIFIED
}

/** More about what laneCondition says. */
export function conditionMessage({ route, rate }: Held, lane: Lane | undefined, condition: LaneCondition): string | undefined {
  if (condition === LaneCondition.DEAD_LETTERS_UNAVAILABLE) return lane?.lettersTrouble
  if (condition === LaneCondition.BLOCKED) return lane?.parking.describeBlocked()
  if (condition === LaneCondition.SCHEMAS_UNAVAILABLE) return lane?.schemaWaits.trouble
  return condition === LaneCondition.RATE_LIMITED ? rate?.text : route.access.trouble?.message
}

/** Whether something of the lane would be sent if the rate limit let it. */
export function waitsForRate(rate: RateLimit | undefined, lane: Lane | undefined, now: number): boolean {
  if (rate === undefined || lane === undefined || lane.stopped) return false
  return rate.holdsBack(now) && (lane.intake.records > 0 || lane.loaded.length > 0)
}
