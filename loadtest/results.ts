import type { Latencies } from './attempt-rows.ts'
import type { Measurement } from './measure.ts'
import type { LimitOptions } from './peers/peer-options.ts'
import type { Contestant, Figures } from './statistics.ts'

/** A way of using undici. */
export type LimitVariant = Pick<LimitOptions, 'connections' | 'inFlight'>

export type PeerResult = Measurement & Figures

export interface FerryResult extends PeerResult {
  /** Requests beyond one for each record. */
  readonly repeated: number
  /** With the wait in a backlog that was there before the start. */
  readonly saturated: Latencies
  readonly paced?: PacedResult
}

export interface PacedResult {
  readonly recordsPerSecond: number
  readonly records: number
  readonly latencies: Latencies
  /** As in Measurement, during this phase. */
  readonly foreignCores: number
}

export interface RoundResult extends Record<Exclude<Contestant, 'ferry'>, PeerResult> {
  readonly ferry: FerryResult
}

export interface Results {
  readonly limitVariant: LimitVariant
  /** The paced phase is in the last one. */
  readonly rounds: readonly RoundResult[]
}
