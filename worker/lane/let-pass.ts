import type { Flight } from '../deliver/flight.ts'
import type { Load } from './load.ts'

/** A request that takes longer while its lane has no room left is let pass. */
const HANG_MS = 1000

/** Called some times a second: ends a request that takes too long, and lets pass one that holds up its lane. */
export function letPass(flight: Flight<Load>, now: number): void {
  flight.expire(now)
  if (!flight.busy || now - flight.sentAt <= HANG_MS) return
  const { load } = flight
  const lane = load.lane!
  const carried = load.batch?.items ?? [load]
  if (!carried.some((each) => lane.isHeldUpBy(each))) return
  const sentMs = Math.round(Date.now() - (now - flight.sentAt))
  for (const each of carried) lane.letPass(each, sentMs)
}
