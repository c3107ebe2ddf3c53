import type { Flight } from '../deliver/flight.ts'
import type { Plan } from '../deliver/plan.ts'
import type { Load } from './load.ts'

/** What the rosters of a worker have of it. */
export interface RosterParts {
  /** Whether the log has room for another attempt's row. */
  readonly logIsOpen: () => boolean
  /** Whether rows go into the spool, because ClickHouse is away. */
  readonly logIsSpooling: () => boolean
  /** Whether this worker may send, by its lease: asked before each request, with both clocks, just read. */
  readonly maySend: (now: number, nowMs: number) => boolean
  /** A request has come back, and its lane has read the answer. */
  readonly onLanded: (plan: Plan, flight: Flight<Load>) => void
  /** Something has waited for the rate limit for so long. */
  readonly onRateLimited: (plan: Plan, text: string, ms: number, now: number) => void
}
