import type { AdaptiveLimit, EndpointLoad } from './adaptive-limit.ts'
import type { Flight } from './flight.ts'

/** What has landed, as limits see it. */
export type Landed = Pick<Flight<unknown>, 'status' | 'cut' | 'sentAt' | 'endedAt'>

/** Statuses of an endpoint, or of what stands before it, that takes no more. */
const overloaded: ReadonlySet<number> = new Set([429, 502, 503, 504])

function loadOf({ status, cut }: Landed): EndpointLoad {
  if (cut === 'ABORTED') return 'NOTHING'
  return status === 0 || overloaded.has(status) ? 'OVERLOAD' : 'FINE'
}

/** Tells the limiter of what has landed; answers whether it allows more than before. isBlocked: Ferry itself has refused the connection. */
export function tellLimit(limit: AdaptiveLimit, flight: Landed, isBlocked: boolean, wallMs: number): boolean {
  const before = limit.limit
  limit.answered(isBlocked ? 'NOTHING' : loadOf(flight), flight.sentAt, flight.endedAt, wallMs)
  return limit.limit > before
}
