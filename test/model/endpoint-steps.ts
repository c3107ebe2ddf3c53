import { noteAnswer, noteArrival } from './blame.ts'
import { repliesOf } from './bounds.ts'
import type { Context, Go, Turn } from './context.ts'
import type { Request, State } from './state.ts'
import { happen } from './worker-steps.ts'

/** More attempts of one delivery are not tried: the endpoint takes it. */
const patience = 3

/** Requests that arrive, and their answers. */
export function endpointSteps(context: Context, s: State, go: Go): void {
  for (const [j, q] of s.wire.entries()) {
    if (q.isOrphan) {
      go(`endpoint: gets ${q.off} of epoch ${q.ep}, which was aborted`, (turn) => {
        turn.s.wire.splice(j, 1)
        noteArrival(turn, q.off, q.rd, q.ep, true)
      })
      go(`network: drops ${q.off} of epoch ${q.ep}, which was aborted`, (turn) => {
        turn.s.wire.splice(j, 1)
      })
      continue
    }
    const i = s.W.findIndex(({ up, k }) => up && k !== 0 && k.ep === q.ep)
    if (i >= 0) answerSteps(context, s, i, j, q, go)
  }
}

function answerSteps({ b }: Context, s: State, i: number, j: number, q: Request, go: Go): void {
  const { fz } = s.W[i]!
  if (q.reply !== '' && fz) return
  const all = repliesOf(b, q.off)
  const replies =
    q.reply !== '' ? [q.reply] : q.att > patience ? (['OK'] as const) : q.rd > 0 ? all.filter((each) => each !== 'BUSY') : all
  for (const reply of replies.length > 0 ? replies : (['OK'] as const)) {
    const what = `${q.off}${q.rd > 0 ? `/round ${q.rd}` : ''}, epoch ${q.ep}, attempt ${q.att}`
    if (fz)
      go(`endpoint: gets ${what}, says ${reply}; ${s.W[i]!.id} does not hear it`, (turn) => {
        turn.s.wire[j]!.reply = reply
        arrive(turn, q, reply)
      })
    else
      go(`endpoint: ${what}: ${reply}`, (turn) => {
        turn.s.wire.splice(j, 1)
        if (q.reply === '') arrive(turn, q, reply)
        happen(turn, turn.s.W[i]!, ['ANSWER', q.off, reply])
      })
  }
}

function arrive(turn: Turn, q: Request, reply: string): void {
  noteArrival(turn, q.off, q.rd, q.ep, false)
  if (reply === 'OK') noteAnswer(turn, q.off, q.rd)
}
