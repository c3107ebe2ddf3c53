import { holderOf, leaveOut } from '../../control-plane/fleet/reconcile.ts'
import { LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { Context, Go } from './context.ts'
import { beat, choose, expel, lead, mayChange, type Who, write } from './leader-acts.ts'
import { type Leader, newWorker, type State, type Worker } from './state.ts'

/** Who holds the lane, as the leader sees it. */
export function leaderSteps(context: Context, s: State, go: Go): void {
  const { L } = s
  if (s.Z !== 0) formerSteps(context, s, s.Z, go)
  // Once another one leads, the fence of its term refuses what is still on its way: it is forgotten then.
  if (L.gw !== 0) grantSteps(context, L, 'leader', 'L', go)
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
  go(
    'control plane: the leader stops, and may go on later',
    (turn) => {
      turn.s.Z = { ...turn.s.L }
      Object.assign(turn.s.L, { up: false, gw: 0 } satisfies Partial<Leader>)
    },
    'leaderFreezes',
  )
  expelSteps(context, s, L, 'leader', 'L', go)
  for (let i = 0; i < s.W.length; i++) laneSteps(context, s, i, go)
}

function laneSteps({ on }: Context, s: State, i: number, go: Go): void {
  const { L } = s
  const w = s.W[i]!
  // Without a lease a worker is silent.
  if (w.up && !w.fz && (w.ls === 'H' || !on.leaseMargin)) {
    go(`${w.id}: heartbeat`, (turn) => beat(turn, i, true, 'L'))
    go(`${w.id}: heartbeat, the reply is lost`, (turn) => beat(turn, i, false, 'L'), 'lostBeat')
  }
  if (mayTake(s, L, i)) go(`leader: gives the lane to ${w.id}`, (turn) => choose(turn, i, 'L'))
  if (!w.up && holderOf(L.h) !== w.id)
    go(`${w.id}: starts again`, (turn) => {
      turn.s.W[i] = { ...newWorker(`${w.id}'`), ck: w.ck, gc: w.gc }
    })
  if (L.h.state === 'GIVEN' && L.h.instance === w.id && w.k !== 0 && w.k.st === LaneState.RUNNING)
    go(
      `leader: moves the lane away from ${w.id}`,
      ({ s: { L: leader } }) => {
        leader.h = leaveOut(leader.h, ++leader.v)
      },
      'move',
    )
}

/** Of workers that are alike the first is enough. */
function mayTake({ W }: State, L: Leader, i: number): boolean {
  const w = W[i]!
  if (L.h.state !== 'FREE' || L.gw !== 0 || !w.up || w.k !== 0 || (w.ls !== 'H' && w.ls !== 'O')) return false
  // A leader that finds the lane lost waits until everybody has been heard.
  if (L.isBlind && W.some(({ up, k }) => up && k !== 0)) return false
  const alike = (other: Worker): boolean => JSON.stringify({ ...other, id: '' }) === JSON.stringify({ ...w, id: '' })
  return W.findIndex(alike) === i
}

function grantSteps(context: Context, { up }: Leader, name: string, who: Who, go: Go): void {
  go(`${name}: its assignment reaches Redis`, (turn) => write(turn, up, who))
  if (up && mayChange({ context }))
    go(`${name}: its assignment reaches Redis, the answer is lost`, (turn) => write(turn, false, who), 'lostReply')
}

/** Its lease has run out, or there is no such instance any more. */
function expelSteps({ on }: Context, s: State, L: Leader, name: string, who: Who, go: Go): void {
  const instance = holderOf(L.h)
  if (instance === undefined) return
  const w = s.W.find(({ id }) => id === instance)
  if (w === undefined || !w.up || w.ls === 'M' || w.ls === 'E')
    go(`${name}: expels ${instance}`, (turn) => expel(turn, instance, true, who))
  else if (!on.touchExpel)
    go(
      `${name}: ${instance} is silent, takes its lane without an expel`,
      (turn) => expel(turn, instance, false, who),
      'takeWithoutExpel',
    )
}

/** One that was frozen while another was elected: what it had sent, or sends before it looks at its clock. */
function formerSteps(context: Context, s: State, Z: Leader, go: Go): void {
  go('former leader: sees that it no longer leads', (turn) => {
    turn.s.Z = 0
  })
  if (!s.L.up) return
  if (Z.gw !== 0) grantSteps(context, Z, 'former leader', 'Z', go)
  // The script looks at the worker's lease only, and asks for no term.
  expelSteps(context, s, Z, 'former leader', 'Z', go)
  if (context.on.leaderClock) return
  for (const [i, w] of s.W.entries()) {
    if (w.up && !w.fz) go(`${w.id}: heartbeat to the former leader`, (turn) => beat(turn, i, true, 'Z'))
    if (mayTake(s, Z, i)) go(`former leader: gives the lane to ${w.id}`, (turn) => choose(turn, i, 'Z'))
  }
}
