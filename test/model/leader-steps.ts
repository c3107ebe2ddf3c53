import { possibleHolder } from '../../control-plane/fleet/found-lane.ts'
import {
  afterExpel,
  afterSilenceAbout,
  afterWord,
  type Holding,
  holderOf,
  leaveOut,
  nextEpoch,
} from '../../control-plane/fleet/reconcile.ts'
import { LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { Context, Go, Turn } from './context.ts'
import { type Leader, newWorker, type State, type Worker } from './state.ts'
import { drain } from './worker-steps.ts'

/** Who holds the lane, as the leader sees it: the transitions are those of reconcile.ts. */
export function leaderSteps(context: Context, s: State, go: Go): void {
  const { L } = s
  if (L.gw !== 0) grantSteps(context, L, go)
  if (!L.up) {
    go('control plane: another replica leads', (turn) => lead(turn))
    return
  }
  go(
    'control plane: the leader dies',
    (turn) => {
      turn.s.L.up = false
    },
    'leaderDies',
  )
  expelSteps(context, s, go)
  for (const [i, w] of s.W.entries()) {
    if (w.up && !w.fz) beatSteps(w.id, i, go)
    if (mayTake(s, i)) go(`leader: gives the lane to ${w.id}`, (turn) => choose(turn, i))
    if (!w.up && holderOf(L.h) !== w.id)
      go(`${w.id}: starts again`, (turn) => {
        turn.s.W[i] = { ...newWorker(`${w.id}'`), ck: w.ck, gc: w.gc }
      })
    if (L.h.state === 'GIVEN' && L.h.instance === w.id && w.k !== 0 && w.k.st === LaneState.RUNNING)
      go(
        `leader: moves the lane away from ${w.id}`,
        (turn) => {
          const leader = turn.s.L
          leader.h = leaveOut(leader.h, ++leader.v)
        },
        'move',
      )
  }
}

/** Of workers that are alike the first is enough. */
function mayTake({ W, L }: State, i: number): boolean {
  const w = W[i]!
  if (L.h.state !== 'FREE' || L.gw !== 0 || !w.up || w.k !== 0 || (w.ls !== 'H' && w.ls !== 'O')) return false
  // A leader that finds the lane lost waits until everybody has been heard.
  if (L.isBlind && W.some(({ up, k }) => up && k !== 0)) return false
  const alike = (other: Worker): boolean => JSON.stringify({ ...other, id: '' }) === JSON.stringify({ ...w, id: '' })
  return W.findIndex(alike) === i
}

function choose(turn: Turn, i: number): void {
  const { s, context } = turn
  const { L } = s
  if (L.h.state !== 'FREE') return
  const { releasedVersion } = L.h
  const epoch = nextEpoch(context.on.epochClock ? s.ck : 0, L.hi)!
  s.ck = Math.max(s.ck, epoch) + 1
  L.hi = epoch
  L.h = { state: 'GRANTING', instance: s.W[i]!.id, epoch, releasedVersion }
  L.gw = [epoch, s.W[i]!.id, releasedVersion]
  // That it is written down and told in two steps matters only to another leader.
  if (context.b.leaderDies === 0) write(turn, true)
}

/** The assignment reaches Redis. */
function write({ s, context }: Turn, isAnswered: boolean): void {
  const { L } = s
  const [epoch, instance, releasedVersion] = L.gw as [number, string, number]
  L.gw = 0
  if (context.on.grants && context.b.leaderDies > 0) s.gr = [epoch, instance]
  if (L.h.state !== 'GRANTING' || L.h.epoch !== epoch) return
  L.h = isAnswered ? { state: 'GIVEN', instance, epoch, releasedVersion } : { state: 'FREE', releasedVersion }
  L.v++
}

function grantSteps({ b }: Context, L: Leader, go: Go): void {
  // Once another one leads, the fence of its term refuses what is still on its way: it is forgotten then.
  go('leader: its assignment reaches Redis', (turn) => write(turn, L.up))
  if (L.up && b.leaderDies > 0)
    go('leader: its assignment reaches Redis, the answer is lost', (turn) => write(turn, false), 'lostReply')
}

/** A new leader knows what Redis tells. */
function lead({ s }: Turn): void {
  const { R, gr, L } = s
  const fence =
    R === 0 || R.lane['epoch'] === undefined ? undefined : { epoch: Number(R.lane['epoch']), owner: R.lane['owner'] ?? '' }
  const { epoch, holder } = possibleHolder(fence, gr === 0 ? undefined : { epoch: gr[0], instance: gr[1] })
  const h: Holding =
    holder === undefined ? { state: 'FREE', releasedVersion: 0 } : { state: 'INHERITED', instance: holder, epoch }
  s.L = { up: true, h, v: L.v + 1, hi: epoch, gw: 0, isBlind: fence === undefined }
}

/** Its lease has run out, or there is no such instance any more. */
function expelSteps({ on }: Context, s: State, go: Go): void {
  const instance = holderOf(s.L.h)
  if (instance === undefined) return
  const i = s.W.findIndex(({ id }) => id === instance)
  const expel = (turn: Turn, marks: boolean): void => {
    const { L, W } = turn.s
    if (marks && W[i]?.up) W[i].ls = 'E'
    L.h = afterExpel(L.h, instance)
    L.v++
  }
  const w = s.W[i]
  if (w === undefined || !w.up || w.ls === 'M' || w.ls === 'E') go(`leader: expels ${instance}`, (turn) => expel(turn, true))
  else if (!on.touchExpel)
    go(`leader: ${instance} is silent, takes its lane without an expel`, (turn) => expel(turn, false), 'takeWithoutExpel')
}

function beatSteps(name: string, i: number, go: Go): void {
  go(`${name}: heartbeat`, (turn) => beat(turn, i, true))
  go(`${name}: heartbeat, the reply is lost`, (turn) => beat(turn, i, false), 'lostBeat')
}

function beat(turn: Turn, i: number, isAnswered: boolean): void {
  const { L, W } = turn.s
  const w = W[i]!
  const before = L.h
  hear(turn, w, w.id)
  if (L.h !== before) L.v++
  if (!isAnswered) return
  w.w = []
  w.ap = L.v
  const given = L.h.state === 'GIVEN' && L.h.instance === w.id ? L.h : undefined
  if (w.k !== 0 && w.k.ep !== given?.epoch) drain(turn, w)
  else if (w.k === 0 && given !== undefined) {
    const { epoch: ep, releasedVersion: rel } = given
    w.k = { ep, st: LaneState.STARTING, rel, ver: 0, base: 0, q: false, node: -1, known: 0 }
  }
}

/** Every heartbeat tells all. */
function hear({ s, context }: Turn, w: Worker, instance: string): void {
  const { L } = s
  for (const [told, says, releasedVersion, seen] of w.w) {
    const epoch = context.on.releasedByEpoch || !('epoch' in L.h) ? told : L.h.epoch
    const word = says === 'RELEASED' ? { says, epoch, releasedVersion } : { says, epoch }
    L.h = afterWord(L.h, instance, word, L.hi, L.v + 1)
    L.hi = Math.max(L.hi, told, seen)
  }
  if (w.k !== 0) {
    L.h = afterWord(L.h, instance, { says: 'HOLDS', epoch: w.k.ep }, L.hi, L.v + 1)
    L.hi = Math.max(L.hi, w.k.ep)
  } else if (w.w.length === 0) L.h = afterSilenceAbout(L.h, instance, w.ap, L.v + 1)
}
