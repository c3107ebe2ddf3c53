import { LaneState as State } from '../proto/gen/ferry/v1/lane_pb.ts'
import type { HeldLanes } from './holdings.ts'
import type { Keeper } from './lane/keeper.ts'
import type { Session } from './session/session.ts'

// A worker that is told to stop lets every lane go:
//
//   nothing is away           | each lane is released by a clean checkpoint, the control plane hears of it
//   the control plane is away | the same; nobody hears of it, so the worker does not wait long: the lease that it gives back says enough
//   ClickHouse is away        | rows go into the spool soon, and the same; without a spool, or with Kafka away, they are not durable and
//                             | lanes are not released: it waits for as long as it may, then gives up
//   Redis is away             | no checkpoint is accepted: the same
//
// Giving up is a crash, as far as the lanes are concerned, and ends with exit code 1: the lease runs out, and the next owners
// ask the log. What was answered and is not in the log is sent again.

export interface DrainParts {
  readonly held: Pick<HeldLanes, 'keepers' | 'leave'>
  readonly session: Pick<Session, 'leave'>
  readonly logs: readonly { readonly busy: boolean }[]
}

export interface DrainOptions {
  /** How long in all. */
  readonly timeoutMs: number
  /** How long for the control plane, once everything is released. */
  readonly unheardMs: number
}

const LOOK_MS = 20

/** Resolves to what keeps each lane that could not be released; nothing when the worker is drained. */
export async function drain(parts: DrainParts, options: DrainOptions): Promise<string[]> {
  const { held, session, logs } = parts
  const start = performance.now()
  const look = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  session.leave()
  held.leave()
  while (held.keepers.some((keeper) => keeper.held)) {
    if (performance.now() - start > options.timeoutMs) return held.keepers.filter((keeper) => keeper.held).map(whyHeld)
    await look()
  }
  // Rows of lanes that were lost.
  while (logs.some((log) => log.busy)) {
    if (performance.now() - start > options.timeoutMs)
      return ['neither ClickHouse nor the spool has taken the last rows of lanes that were lost']
    await look()
  }
  // LOST lanes need no word: their epochs are over.
  const releasedAt = performance.now()
  while (held.keepers.some((keeper) => keeper.state === State.RELEASED)) {
    if (performance.now() - releasedAt > options.unheardMs) break
    await look()
  }
  return []
}

function whyHeld(keeper: Keeper): string {
  const { lane, key } = keeper
  const { message } = keeper.troubles.first
  const reasons = [
    ...(lane !== undefined && lane.inFlight > 0 ? [`${lane.inFlight} requests are on the way`] : []),
    ...(lane !== undefined && lane.rowsOut > 0 ? [`neither ClickHouse nor the spool has taken ${lane.rowsOut} rows`] : []),
    ...(message === '' ? [] : [message]),
  ]
  return `${key}: ${reasons.length === 0 ? 'Redis has not taken its last checkpoint' : reasons.join('; ')}`
}
