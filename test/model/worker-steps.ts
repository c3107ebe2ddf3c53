import { LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { afterDrain } from '../../worker/lane/keeper-state.ts'
import type { Context, Go, Turn } from './context.ts'
import { claim, emptyHashes } from './redis-scripts.ts'
import { type Keeper, left, msOf, type State, type Worker } from './state.ts'
import { takeOver } from './take-over.ts'

/** Requests of a lane that stops: their answers reach nobody, and they may still arrive. */
export function orphan({ s, context }: Turn, epoch: number): void {
  const { b } = context
  // A late arrival tells something only of order, in round 0.
  s.wire = s.wire.filter((q) => q.ep !== epoch || q.isOrphan || (q.reply === '' && q.rd === 0 && b.ordering !== 'UNORDERED'))
  for (const q of s.wire) if (q.ep === epoch) q.isOrphan = true
}

/** Nothing is sent and nothing awaited any more; the lane, if it lives, hears of its aborted requests. */
export function abort(turn: Turn, w: Worker): void {
  if (w.k === 0) return
  orphan(turn, w.k.ep)
  if (w.k.node >= 0) happen(turn, w, ['ABORT'])
}

/** Something happens to the lane of this worker: its rows go to the log. Answers what it has brought about. */
export function happen(
  turn: Turn,
  w: Worker,
  event: Parameters<Context['owners']['step']>[1],
): ReturnType<Context['owners']['step']>['effect'] {
  const { s, context } = turn
  const k = w.k as Keeper
  const { node, effect } = context.owners.step(k.node, event, msOf(s.era))
  k.node = node
  for (const [offset, round, attempt, outcome] of effect.rows) w.buf.push([offset, round, k.ep, attempt, outcome, s.era])
  return effect
}

/** The lane is another's: it is let go at once. */
export function lose(turn: Turn, w: Worker, seen: number): void {
  if (w.k === 0) return
  abort(turn, w)
  w.w.push([w.k.ep, 'LOST', 0, seen])
  w.k = 0
}

export function drain(turn: Turn, w: Worker): void {
  if (w.k === 0) return
  const before = w.k.st
  w.k.st = afterDrain(before, w.k.node >= 0)
  if (w.k.st === before) return
  if (w.k.st === LaneState.RELEASED) {
    w.w.push([w.k.ep, 'RELEASED', 0, 0])
    w.k = 0
  } else happen(turn, w, ['DRAIN'])
}

/** Life, lease and takeover of one worker. */
export function workerSteps(context: Context, s: State, i: number, go: Go): void {
  const w = s.W[i]!
  const name = s.W[i]!.id
  const { on } = context
  if (w.ls === 'O' || (!on.leaseMargin && w.ls === 'H' && w.fz && w.k !== 0))
    go(`Redis: the lease of ${name} runs out`, (turn) => {
      turn.s.W[i]!.ls = 'M'
    })
  if (!w.up) return
  if (w.k !== 0 || w.in.length > 0 || w.buf.length > 0) go(`${name}: is killed`, (turn) => kill(turn, i), 'crash')
  if (w.fz) {
    if (w.ls === 'H')
      go(`${name}: its lease ends while it is frozen`, (turn) => {
        turn.s.W[i]!.ls = 'O'
      })
    go(`${name}: goes on`, (turn) => {
      const worker = turn.s.W[i]!
      worker.fz = false
      if (worker.ls !== 'H' && on.leaseMargin) abort(turn, worker)
    })
    return
  }
  leaseSteps(context, s, i, go)
  if (w.k !== 0) takeoverSteps(context, s, i, w.k, go)
}

function kill(turn: Turn, i: number): void {
  const { s } = turn
  const w = s.W[i]!
  // Whoever had lost its lease, or the lane, may have begun an insert after its successor looked.
  const late = w.ls !== 'H' || w.k === 0
  for (const { rows, landed } of w.in) if (!landed) s.orph.push({ rows, late })
  if (w.k !== 0) orphan(turn, w.k.ep)
  const ck = w.ck !== 0 && w.ck.st === 0 ? w.ck : 0
  s.W[i] = { ...{ id: w.id, up: false, fz: false, ls: 'H', ap: 0, k: 0, w: [], buf: [], in: [], pv: false }, ck, gc: w.gc }
}

function leaseSteps({ on }: Context, s: State, i: number, go: Go): void {
  const w = s.W[i]!
  const name = s.W[i]!.id
  if (w.k !== 0)
    go(
      `${name}: stops`,
      (turn) => {
        turn.s.W[i]!.fz = true
      },
      'freeze',
    )
  if (w.k !== 0 && w.ls === 'H')
    go(
      `${name}: cannot touch, its lease ends`,
      (turn) => {
        turn.s.W[i]!.ls = 'O'
        abort(turn, turn.s.W[i]!)
      },
      'lapse',
    )
  const isAlive = w.ls === 'O' || (w.ls === 'M' && !on.missingLease)
  if (isAlive)
    go(`${name}: touches again, goes on`, (turn) => {
      const worker = turn.s.W[i]!
      worker.ls = 'H'
      worker.pv = on.proves
    })
  if ((w.ls === 'M' && on.missingLease) || w.ls === 'E')
    go(`${name}: its touch is refused, it gives up its lanes and goes on as another`, (turn) => {
      const worker = turn.s.W[i]!
      abort(turn, worker)
      Object.assign(worker, { id: `${worker.id}'`, ls: 'H', ap: 0, k: 0, w: [] } satisfies Partial<Worker>)
    })
  if (w.ls === 'E')
    go(
      `Redis: loses the expel of ${name}`,
      (turn) => {
        turn.s.W[i]!.ls = 'O'
      },
      'unexpel',
    )
}

function takeoverSteps({ on }: Context, s: State, i: number, k: Keeper, go: Go): void {
  const name = s.W[i]!.id
  if (k.st !== LaneState.STARTING || k.node >= 0) return
  if (k.base === 0) {
    go(`${name}: claims with epoch ${k.ep}`, (turn) => claimLane(turn, i, true))
    if (on.claim) go(`${name}: claims with epoch ${k.ep}, the answer is lost`, (turn) => claimLane(turn, i, false), 'lostReply')
    return
  }
  if (on.insertMargin && s.orph.some(({ late }) => !late)) return
  if (!on.spoolDrained || s.sp.length === 0) go(`${name}: takes over`, (turn) => takeOver(turn, turn.s.W[i]!.k as Keeper, false))
  if (s.sp.length > 0)
    go(`${name}: takes over, the spool is not drained`, (turn) => takeOver(turn, turn.s.W[i]!.k as Keeper, false), 'skipLookUp')
  if (left(s, 'skipLookUp') > 0)
    go(`${name}: takes over, the log does not answer`, (turn) => takeOver(turn, turn.s.W[i]!.k as Keeper, true), 'skipLookUp')
}

function claimLane(turn: Turn, i: number, isAnswered: boolean): void {
  const { s, context } = turn
  const w = s.W[i]!
  const k = w.k as Keeper
  const hashes = s.R === 0 ? emptyHashes() : s.R
  const claimed = claim(hashes, { epoch: k.ep, owner: w.id }, msOf(s.era), context.on)
  if (claimed.kind === 'REFUSED') {
    if (isAnswered) lose(turn, w, claimed.epoch)
    return
  }
  if (context.on.claim) s.R = hashes
  s.mx = Math.max(s.mx, k.ep)
  if (!isAnswered) return
  const { lane, parked } = claimed
  k.base = { lane, parked }
  k.ver = Number(lane['version'] ?? 0)
}
