import { Outcome, Reason, Trigger } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { LaneOrder } from '../../runtime/lane-keys.ts'
import type { Lane } from './lane.ts'
import type { Parked } from './parked.ts'

// What operators ask for of deliveries that wait.
//
//   the order | the delivery                        | then
//   SKIP      | waits                               | ends SKIPPED by OPERATOR
//             | is on its way, or its row is        | the order waits
//             | waits behind another                | nothing, unless that one ends by the order, too: then it is no longer behind
//   RETRY     | waits, and not behind another       | due at once, with all of its retries before it
//             | anything else                       | nothing
//
// A skip is done with only when what it has ended is durable: who takes the lane over before does it again.

/** Ended in one go; the rest of an order is done by the next call. */
const ENDS_MAX = 1000

/** Answers the inbox fields of the orders that are done with. */
export function carryOut(lane: Lane, orders: ReadonlyMap<string, LaneOrder>, nowMs: number): string[] {
  const done: string[] = []
  for (const [field, order] of orders) {
    const entries = waiting(lane, order)
    if (order.kind === 'SKIP' ? skip(lane, entries, order, nowMs) : retry(lane, entries, nowMs)) done.push(field)
  }
  return done
}

/** In the order of offsets, so that what waits behind another comes after it. */
function waiting({ parking }: Lane, { first, last }: LaneOrder): Parked[] {
  if (first === last) return [parking.get(first)].filter((entry) => entry !== undefined)
  return [...parking.entries()].filter(({ offset }) => offset >= first && offset <= last).sort((a, b) => a.offset - b.offset)
}

function skip(lane: Lane, entries: readonly Parked[], { reason }: LaneOrder, nowMs: number): boolean {
  let isDone = true
  let ends = 0
  for (const entry of entries) {
    if (!entry.ended && entry.state === 'B') continue
    isDone = false
    if (entry.ended || entry.sending || !entry.settled || ends >= ENDS_MAX) continue
    lane.endUnsent(entry, Outcome.SKIPPED, Reason.OPERATOR, Trigger.UNSPECIFIED, nowMs, reason)
    ends++
  }
  return isDone
}

function retry({ parking }: Lane, entries: readonly Parked[], nowMs: number): true {
  for (const entry of entries) {
    if (entry.ended || entry.sending || entry.state === 'B') continue
    entry.unpaid = entry.attempts
    entry.firstMs = 0
    parking.change(entry, 'P', nowMs)
  }
  return true
}
