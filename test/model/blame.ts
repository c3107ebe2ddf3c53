import { type Fault, faults, keyOf } from './bounds.ts'
import type { Turn } from './context.ts'
import { bit, has, type Keeper, left } from './state.ts'
import { isKnown } from './take-over.ts'

/** Since a lost expel there may be two owners for a while: that is promised to nobody. */
export const isExpelLost = ({ s, context }: Turn): boolean => left(s, 'unexpel') < context.b.unexpel

/** They excuse no request that is sent again. */
const calm: readonly Fault[] = [
  'move',
  'lostReply',
  'lostBeat',
  'lostInsertReply',
  'spool',
  'tick',
  'coordinatorDies',
  'leaderDies',
  'leaderFreezes',
]

const isCalm = ({ s, context }: Turn): boolean =>
  faults.every((fault) => calm.includes(fault) || left(s, fault) === context.b[fault])

/** What a request that is sent may be accused of. */
export function blameSend(turn: Turn, k: Keeper, [offset, round, attempt]: readonly [number, number, number]): void {
  const { s, context } = turn
  const what = `${offset}${round > 0 ? `/round ${round}` : ''}`
  if (context.b.tracksIds) {
    const id = `${offset}:${round}:${k.ep}:${attempt}`
    if (s.ids.includes(id)) turn.blame(`I6: ${what}, epoch ${k.ep}, attempt ${attempt} was used for two requests`)
    s.ids.push(id)
    s.ids.sort()
  }
  if (!isExpelLost(turn)) {
    if (k.ep < s.sx) turn.blame(`I5: epoch ${k.ep} sends after epoch ${s.sx} did`)
    if (isKnown(k, offset, round)) turn.blame(`I3: ${what} is sent again although its end was known at this takeover`)
  }
  s.sx = Math.max(s.sx, k.ep)
  if (has(s.ans, offset + 8 * round) && isCalm(turn))
    turn.blame(`I3: ${what} is sent again after its answer, without a fault that excuses it`)
}

/** A request reaches the endpoint: what it says of the order of key A, round 0. isLate: nobody waits for its answer any more. */
export function noteArrival(turn: Turn, offset: number, round: number, epoch: number, isLate: boolean): void {
  const { s, context } = turn
  if (round > 0 || keyOf(context.b, offset) !== 'A') return
  const newest = Math.max(0, ...s.ke.map(([known]) => known))
  const own = s.ke.find(([known]) => known === epoch)
  if (own === undefined) {
    s.ke.push([epoch, offset])
    s.ke.sort((a, b) => a[0] - b[0])
  } else {
    if (offset < own[1] && !isLate) turn.blame(`I5: request ${offset} after ${own[1]} of its key, by the same owner`)
    own[1] = Math.max(own[1], offset)
  }
  s.kl = [offset, epoch, isLate || epoch < newest]
  s.km = Math.max(s.km, offset)
}

export const noteAnswer = ({ s }: Turn, offset: number, round: number): void => {
  s.ans |= bit(offset + 8 * round)
}
