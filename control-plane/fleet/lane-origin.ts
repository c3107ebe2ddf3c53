import type { LoggedLane } from './lane-log.ts'
import type { LaneHead } from './lane-store.ts'

/** Everything that may know where a lane is. */
export interface LaneTraces {
  /** State in Redis. */
  readonly head: LaneHead | undefined
  /** The Kafka group's offset. */
  readonly groupOffset: number | undefined
  readonly logged: LoggedLane | undefined
}

/**
 * READY: it goes on from what Redis or, where Redis has lost it, Kafka knows.
 * NEW: nobody has ever heard of it.
 * BEGUN: it was registered to begin at `start`, and nothing has happened since; its registration is to be finished.
 * NEEDS_DECISION: it has worked, and where it was is known to nobody.
 */
export type LaneOrigin =
  | { readonly kind: 'READY' }
  | { readonly kind: 'NEW' }
  | { readonly kind: 'BEGUN'; readonly start: number }
  | { readonly kind: 'NEEDS_DECISION' }

/**
 * | Redis | group offset | log: start | log: ends | origin         |
 * |-------|--------------|------------|-----------|----------------|
 * | yes   |              |            |           | READY          |
 * | no    | yes          |            | yes       | READY: the worker rebuilds it from the group offset and the log |
 * | no    | yes          | above it or below it | no | READY, likewise: the group was committed since |
 * | no    | yes          | equal, none | no       | BEGUN at the group offset: registration was interrupted, or nothing was read yet |
 * | no    | no           | yes        | no        | BEGUN at the log's start |
 * | no    | no           |            | yes       | NEEDS_DECISION |
 * | no    | no           | no         | no        | NEW            |
 */
export function laneOrigin({ head, groupOffset, logged }: LaneTraces): LaneOrigin {
  if (head !== undefined) return { kind: 'READY' }
  if (groupOffset !== undefined) {
    const isUntouched = logged === undefined || (!logged.hasEnds && (logged.start ?? groupOffset) === groupOffset)
    return isUntouched ? { kind: 'BEGUN', start: groupOffset } : { kind: 'READY' }
  }
  if (logged === undefined) return { kind: 'NEW' }
  if (logged.hasEnds || logged.start === undefined) return { kind: 'NEEDS_DECISION' }
  return { kind: 'BEGUN', start: logged.start }
}
