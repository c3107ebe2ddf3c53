import { LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { afterCheckpoint, afterFirstCheckpoint } from '../../worker/lane/keeper-state.ts'
import { blameSend } from './blame.ts'
import type { Context, Go, Turn } from './context.ts'
import { checkpoint } from './redis-scripts.ts'
import { type Keeper, left, type Message, msOf, type State, type Worker } from './state.ts'
import { happen, lose } from './worker-steps.ts'

/** What an owner does with its lane: sends, writes checkpoints, mirrors its floor. */
export function laneSteps(context: Context, s: State, i: number, go: Go): void {
  const w = s.W[i]!
  messageSteps(w, i, go)
  if (!w.up || w.fz) return
  const { k } = w
  if (k === 0 || k.node < 0) return
  checkpointSteps(context, s, i, k, go)
  // Without the margin it does not notice that its lease is over.
  const isSure = w.ls === 'H' || (!context.on.leaseMargin && w.ls !== 'O')
  if (k.st === LaneState.RUNNING && isSure) sendSteps(context, s, i, k, go)
  const { group } = context.owners.view(k.node)
  if (context.b.groupCommits && k.st === LaneState.RUNNING && w.gc === '' && group !== s.G)
    go(`${w.id}: commits its floor (${group})`, (turn) => {
      turn.s.W[i]!.gc = group
    })
}

/** What is on its way, whatever has become of its sender. */
function messageSteps(w: Worker, i: number, go: Go): void {
  const name = w.id
  if (w.gc !== '')
    go(`${name}: its floor reaches Kafka (${w.gc})`, (turn) => {
      const worker = turn.s.W[i]!
      turn.s.G = worker.gc
      worker.gc = ''
    })
  if (w.ck === 0) return
  const isActive = w.up && !w.fz
  const { ck } = w
  if (ck.st === 0) {
    const what = `checkpoint (epoch ${ck.ep}, version ${ck.ver}, cursor ${ck.given.cursor}, ended ${ck.given.ended || 'none'})`
    go(`${name}: its ${what} reaches Redis`, (turn) => {
      reachRedis(turn, turn.s.W[i]!.ck as Message)
      if (isActive) hearRedis(turn, i)
    })
    if (isActive) go(`${name}: its ${what} reaches Redis, the answer is lost`, (turn) => reachRedis(turn, { ...ck }), 'lostReply')
  } else if (isActive) go(`${name}: hears of its checkpoint`, (turn) => hearRedis(turn, i))
  if (!w.up)
    go(`${name}: its checkpoint is lost`, (turn) => {
      turn.s.W[i]!.ck = 0
    })
}

function reachRedis(turn: Turn, message: Message): void {
  const { s, context } = turn
  const { R } = s
  if (R === 0) {
    message.st = 2
    return
  }
  const before = R.lane['version']
  const result = checkpoint(R, { epoch: message.ep, owner: message.own }, message.ver, message.given, context.on)
  message.st = result.kind === 'ACCEPTED' ? 1 : 2
  message.seen = result.kind === 'ACCEPTED' ? 0 : result.epoch
  if (message.st === 1 && R.lane['version'] !== before && message.ep < s.mx)
    turn.blame(`I4: a checkpoint of epoch ${message.ep} was accepted after the claim of ${s.mx}`)
}

function hearRedis(turn: Turn, i: number): void {
  const w = turn.s.W[i]!
  const message = w.ck as Message
  w.ck = 0
  if (w.k === 0 || w.k.ep !== message.ep || w.id !== message.own) return
  if (message.st === 2) {
    if (turn.context.on.newEpoch) lose(turn, w, message.seen)
    else takeAgain(turn, w)
    return
  }
  w.k.ver = message.ver + 1
  happen(turn, w, ['ACCEPTED'])
  if (w.k.st === LaneState.STARTING) w.k.st = afterFirstCheckpoint(w.k.st)
  else w.k.st = afterCheckpoint(w.k.st, message.given.clean)
  if (w.k.st !== LaneState.RELEASED) return
  w.w.push([w.k.ep, 'RELEASED', w.k.ver, 0])
  w.k = 0
}

/** Only with a safeguard off: it goes on as if the same epoch were still its own. */
function takeAgain(turn: Turn, w: Worker): void {
  const { ep } = w.k as Keeper
  lose(turn, w, 0)
  w.w = []
  w.k = { ep, st: LaneState.STARTING, rel: 0, ver: 0, base: 0, q: false, node: -1, known: 0 }
  const { R } = turn.s
  if (R !== 0) R.lane['epoch'] = `${Math.min(ep - 1, Number(R.lane['epoch']))}`
}

function checkpointSteps({ owners, on }: Context, s: State, i: number, k: Keeper, go: Go): void {
  const w = s.W[i]!
  const name = w.id
  if (w.pv)
    go(`${name}: proves its lane`, (turn) => {
      turn.s.W[i]!.pv = false
      happen(turn, turn.s.W[i]!, ['PROVE'])
    })
  if (w.ck !== 0 || (k.st === LaneState.STARTING && !on.checkpointFirst)) return
  const view = owners.view(k.node)
  const isFinished = k.st === LaneState.DRAINING && view.flights.length === 0 && (view.rowsOut === 0 || !on.drain)
  const { effect } = owners.step(k.node, ['DRAFT', isFinished], msOf(s.era))
  const { message } = effect
  if (message === undefined) return
  const words = `version ${k.ver}, cursor ${message.cursor}, ended ${message.ended || 'none'}${message.clean ? ', clean' : ''}`
  go(`${name}: writes a checkpoint (${words})`, (turn) => {
    const worker = turn.s.W[i]!
    happen(turn, worker, ['DRAFT', isFinished])
    worker.ck = { ep: k.ep, own: name, ver: k.ver, given: message, st: 0, seen: 0 }
  })
}

function sendSteps({ owners }: Context, s: State, i: number, k: Keeper, go: Go): void {
  const name = s.W[i]!.id
  for (const event of ['FRESH', 'RETRY'] as const) {
    const { node, effect } = owners.step(k.node, [event], msOf(s.era))
    const { sent, rows } = effect
    if (node === k.node && rows.length === 0) continue
    const what =
      sent === undefined ? 'looks for work' : `sends ${sent[0]}${sent[1] > 0 ? `/round ${sent[1]}` : ''}, attempt ${sent[2]}`
    go(`${name}: ${what}, epoch ${k.ep}`, (turn) => {
      happen(turn, turn.s.W[i]!, [event])
      if (sent === undefined) return
      const [off, rd, att] = sent
      turn.s.wire.push({ ...{ off, rd, ep: k.ep, att }, reply: '', isOrphan: false })
      turn.s.wire.sort((a, c) => a.off - c.off || a.ep - c.ep || a.att - c.att)
      blameSend(turn, k, sent)
    })
  }
  if (left(s, 'hang') > 0)
    for (const { offset, isFresh } of owners.view(k.node).flights)
      if (isFresh)
        go(`${name}: lets ${offset} pass, which hangs`, (turn) => happen(turn, turn.s.W[i]!, ['LET_PASS', offset]), 'hang')
}
