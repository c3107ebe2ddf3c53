import { firstVersion } from '../../control-plane/fleet/lane-store.ts'
import type { Holding } from '../../control-plane/fleet/reconcile.ts'
import type { LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { Checkpoint } from '../../worker/lane/lane-state.ts'
import { type Bounds, type Fault, faults } from './bounds.ts'
import { firstState, type LaneHashes } from './redis-scripts.ts'

// One lane and all that is around it, as plain JSON. Names are short: a state is text, and there are hundreds of thousands.

/** offset, round, epoch, attempt, outcome, when (in times longer than the look-up's margin) */
export type Row = [offset: number, round: number, epoch: number, attempt: number, outcome: number, era: number]

/** A request: reply is '' until the endpoint has it; isOrphan: nobody waits for the answer. */
export interface Request {
  off: number
  rd: number
  ep: number
  att: number
  reply: '' | 'OK' | 'BUSY' | 'BAD'
  isOrphan: boolean
}

/** A checkpoint on its way: st 0 before Redis has it, 1 accepted, 2 refused; seen is what Redis then showed. */
export interface Message {
  ep: number
  own: string
  ver: number
  given: Checkpoint
  st: 0 | 1 | 2
  seen: number
}

/** A lane in a worker's hands. */
export interface Keeper {
  ep: number
  st: LaneState
  rel: number
  ver: number
  /** What the claim answered, until the look-up. */
  base: { lane: Record<string, string>; parked: Record<string, string> } | 0
  /** Nobody knows where the lane was: it waits for an operator. */
  q: boolean
  /** Its memory (owners.ts); -1 before it has taken over. */
  node: number
  /** Bits of what it knew to have ended when it took over: offset, or 8 + offset for a later round that was open. */
  known: number
}

export type LetGo = [epoch: number, says: 'RELEASED' | 'LOST', version: number, seen: number]

/** H held, O over by the worker's clock, M gone from Redis, E expelled. */
export type Lease = 'H' | 'O' | 'M' | 'E'

export interface Insert {
  rows: Row[]
  landed: boolean
  /** It has landed once already, and the answer was lost. */
  twice: boolean
}

export interface Worker {
  /** Its instance: another one after an expel or a restart. */
  id: string
  up: boolean
  fz: boolean
  ls: Lease
  /** Version of the list that it works by. */
  ap: number
  k: Keeper | 0
  /** Let go, and not acknowledged. */
  w: LetGo[]
  buf: Row[]
  in: Insert[]
  ck: Message | 0
  /** A group commit on its way. */
  gc: string
  /** Redis was away: its lane is to prove itself. */
  pv: boolean
}

export interface Leader {
  up: boolean
  h: Holding
  /** Version of its lists. */
  v: number
  /** The highest epoch that it has seen. */
  hi: number
  /** An assignment on its way to Redis. */
  gw: [epoch: number, instance: string, releasedVersion: number] | 0
  /** It found a lane that Redis has lost: whoever holds it may not have been heard yet. */
  isBlind: boolean
}

export interface Batch {
  /** By offset: the rank of the row that was selected. */
  sel: Record<number, [round: number, epoch: number, attempt: number]>
  lap: number
  /** Item of a page that is not handed over yet; -1 none. The same of a coordinator that has died. */
  page: number
  late: number
  lateLap: number
}

export interface State {
  W: Worker[]
  L: Leader
  /** One that was frozen while another was elected. */
  Z: Leader | 0
  /** The clock as epochs see it. */
  ck: number
  R: LaneHashes | 0
  /** Earlier states of Redis that a rollback may bring back, newest first. */
  H: (LaneHashes | 0)[]
  gr: [epoch: number, instance: string] | 0
  /** The group's offset and metadata. */
  G: string
  log: Row[]
  /** Inserts in the spool, oldest first: durable, and not in the log yet. */
  sp: Row[][]
  /** Inserts of the dead; late: their owner had lost the lane before. */
  orph: { rows: Row[]; late: boolean }[]
  wire: Request[]
  era: number
  /** Bits of offsets that have ever had an end in the log. */
  had: number
  /** By epoch, the highest offset of key A that arrived; the last one, its epoch, and whether it is excused; the highest of all. */
  ke: [epoch: number, offset: number][]
  kl: [offset: number, epoch: number, isExcused: boolean]
  km: number
  /** The highest epoch that started a request, and that claimed. */
  sx: number
  mx: number
  ids: string[]
  /** Bits of what the endpoint answered for good: offset + 8 * round. */
  ans: number
  bt: Batch[]
  /** Faults that are left. */
  B: number[]
}

export const left = (s: State, fault: Fault): number => s.B[faults.indexOf(fault)]!
export const bit = (n: number): number => 1 << n
export const has = (mask: number, n: number): boolean => ((mask >> n) & 1) === 1
/** Unix ms of an era: ten minutes lie between two. */
export const msOf = (era: number): number => 1 + era * 600_000

export const newWorker = (id: string): Worker => ({
  ...{ id, up: true, fz: false, ls: 'H', ap: 0, k: 0, w: [], buf: [], in: [], ck: 0, gc: '', pv: false },
})

/** A registered lane that nobody has held yet. */
export const firstOf = (b: Bounds): State => ({
  ...{ W: Array.from({ length: b.workers }, (_, i) => newWorker(`w${i}`)), ck: 1, R: firstState(0), H: [], gr: 0 },
  L: { up: true, h: { state: 'FREE', releasedVersion: firstVersion }, v: 1, hi: 0, gw: 0, isBlind: false },
  Z: 0,
  ...{
    G: '0 1;0;',
    log: [],
    sp: [],
    orph: [],
    wire: [],
    era: 0,
    had: 0,
    ke: [],
    kl: [-1, 0, false],
    km: -1,
    sx: 0,
    mx: 0,
    ids: [],
    ans: 0,
  },
  bt: Array.from({ length: b.batches }, () => ({ sel: {}, lap: 0, page: -1, late: -1, lateLap: 0 })),
  B: faults.map((fault) => b[fault]),
})
