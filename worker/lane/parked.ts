import type { ParkedEntry, ParkedState } from '../../runtime/lane-keys.ts'

/** A delivery that waits for its next attempt, or behind an earlier one of its key. */
export interface Parked extends ParkedEntry {
  readonly offset: number
  state: ParkedState
  keyHash: number | undefined
  attempts: number
  unpaid: number
  firstMs: number
  lastMs: number
  dueMs: number
  round: number
  bytes: number
  where: 'R' | 'K'
  batch: string | undefined
  stale: boolean
  newKey: boolean
  /** Not with more records in one request; 0: with as many as may be. Memory only: another owner begins anew. */
  together: number
  /** Given up: how its last attempt ended, as far as this owner knows. */
  why: LastEnd | undefined
  /** The record's packed bytes while they are in memory. */
  packed: Buffer | undefined
  /** Slot of the window while the cursor has not passed it; -1 for what was not read by this lane. */
  slot: number
  /** Rows of it that are not durable yet. */
  unacknowledged: number
  /** Was settled: checkpoints may say it, the cursor may pass it, and it may be tried again. */
  settled: boolean
  /** Redis has the entry. */
  stored: boolean
  /** Redis has an older entry of the offset, which has ended: it must forget it when this one goes before it is stored. */
  shadows: boolean
  /** Grows with every change; a checkpoint stores what it saw. */
  generation: number
  /** Taken from here: on its way, or its bytes are being read for that. */
  sending: boolean
  /** Has an outcome; only its rows are not durable yet, or Redis does not know yet. */
  ended: boolean
}

/** How an attempt ended, as its row says. */
export interface LastEnd {
  readonly reason: number
  readonly status: number
  readonly error: string
}

export type NewParked = Pick<
  Parked,
  'offset' | 'state' | 'keyHash' | 'attempts' | 'unpaid' | 'firstMs' | 'lastMs' | 'dueMs' | 'round' | 'settled'
> &
  Partial<
    Pick<Parked, 'bytes' | 'where' | 'batch' | 'stale' | 'newKey' | 'together' | 'packed' | 'slot' | 'stored' | 'sending' | 'why'>
  >

export function newParked(of: NewParked): Parked {
  return {
    bytes: 0,
    where: 'K',
    batch: undefined,
    stale: false,
    newKey: false,
    together: 0,
    packed: undefined,
    why: undefined,
    slot: -1,
    stored: false,
    sending: false,
    ...of,
    unacknowledged: 0,
    shadows: false,
    generation: 1,
    ended: false,
  }
}
