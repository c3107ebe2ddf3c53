import { possibleHolder } from '../../control-plane/fleet/found-lane.ts'
import { afterExpel, afterSilenceAbout, afterWord, type Holding, nextEpoch } from '../../control-plane/fleet/reconcile.ts'
import { LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { Turn } from './context.ts'
import type { Leader, Worker } from './state.ts'
import { drain } from './worker-steps.ts'

// What a leader does; the transitions are those of reconcile.ts. `who` is the one that leads (L), or one that did and was frozen (Z).

export type Who = 'L' | 'Z'

const leaderOf = ({ s }: Turn, who: Who): Leader => s[who] as Leader

/** Whether a second leader may come to be: only then it matters what is written down. */
export const mayChange = ({ context: { b } }: Pick<Turn, 'context'>): boolean => b.leaderDies > 0 || b.leaderFreezes > 0

export function choose(turn: Turn, i: number, who: Who): void {
  const { s, context } = turn
  const L = leaderOf(turn, who)
  if (L.h.state !== 'FREE') return
  const { releasedVersion } = L.h
  const epoch = nextEpoch(context.on.epochClock ? s.ck : 0, L.hi)!
  s.ck = Math.max(s.ck, epoch) + 1
  L.hi = epoch
  L.h = { state: 'GRANTING', instance: s.W[i]!.id, epoch, releasedVersion }
  L.gw = [epoch, s.W[i]!.id, releasedVersion]
  if (!mayChange(turn)) write(turn, true, who)
}

/** The assignment reaches Redis, which refuses it when another term has begun. */
export function write(turn: Turn, isAnswered: boolean, who: Who): void {
  const { s, context } = turn
  const L = leaderOf(turn, who)
  const [epoch, instance, releasedVersion] = L.gw as [number, string, number]
  L.gw = 0
  if (who === 'Z' && context.on.term) {
    s.Z = 0
    return
  }
  if (context.on.grants && mayChange(turn)) s.gr = [epoch, instance]
  if (L.h.state !== 'GRANTING' || L.h.epoch !== epoch) return
  L.h = isAnswered ? { state: 'GIVEN', instance, epoch, releasedVersion } : { state: 'FREE', releasedVersion }
  L.v++
}

/** A new leader knows what Redis tells. */
export function lead({ s }: Turn): void {
  const { R, gr, L } = s
  const fence =
    R === 0 || R.lane['epoch'] === undefined ? undefined : { epoch: Number(R.lane['epoch']), owner: R.lane['owner'] ?? '' }
  const { epoch, holder } = possibleHolder(fence, gr === 0 ? undefined : { epoch: gr[0], instance: gr[1] })
  const h: Holding =
    holder === undefined ? { state: 'FREE', releasedVersion: 0 } : { state: 'INHERITED', instance: holder, epoch }
  s.L = { up: true, h, v: L.v + 1, hi: epoch, gw: 0, isBlind: fence === undefined }
}

/** marks: Redis hears of it, too. */
export function expel(turn: Turn, instance: string, marks: boolean, who: Who): void {
  const L = leaderOf(turn, who)
  const w = turn.s.W.find(({ id }) => id === instance)
  if (marks && w?.up) w.ls = 'E'
  L.h = afterExpel(L.h, instance)
  L.v++
}

export function beat(turn: Turn, i: number, isAnswered: boolean, who: Who): void {
  const L = leaderOf(turn, who)
  const w = turn.s.W[i]!
  const before = L.h
  hear(turn, L, w)
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
function hear({ context }: Turn, L: Leader, w: Worker): void {
  for (const [told, says, releasedVersion, seen] of w.w) {
    const epoch = context.on.releasedByEpoch || !('epoch' in L.h) ? told : L.h.epoch
    const word = says === 'RELEASED' ? { says, epoch, releasedVersion } : { says, epoch }
    L.h = afterWord(L.h, w.id, word, L.hi, L.v + 1)
    L.hi = Math.max(L.hi, told, seen)
  }
  if (w.k !== 0) {
    L.h = afterWord(L.h, w.id, { says: 'HOLDS', epoch: w.k.ep }, L.hi, L.v + 1)
    L.hi = Math.max(L.hi, w.k.ep)
  } else if (w.w.length === 0) L.h = afterSilenceAbout(L.h, w.id, w.ap, L.v + 1)
}
