import { Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { type Run, readGroupMetadata, readParked, readRuns } from '../../runtime/lane-keys.ts'
import { isDone, outcomeOf, roundsOf } from './batch-steps.ts'
import { repliesOf } from './bounds.ts'
import type { Context } from './context.ts'
import { has, left, type State } from './state.ts'

// What must hold, said without the product's code. I1 nothing is lost; I2 nothing is stuck; I3 nothing is sent again that is known to
// have ended; I4 nothing of an older owner is accepted; I5 order; I6 no identity is used twice, and every delivery has an outcome;
// I7 retry batches; I8 the owner and Redis agree on what is parked; I9 giving up is paid for. I3, I5 and I6 are looked at when something is sent (blame.ts).

const holds = (runs: readonly Run[], offset: number): boolean => runs.some((run) => run.first <= offset && offset <= run.last)

/** In every state. */
export function always(s: State, context: Context): string {
  return lostInRedis(s, context) || lostInGroup(s, context) || disagreement(s, context) || overspent(s, context)
}

function lostInRedis({ R, had }: State, { b }: Context): string {
  if (R === 0 || R.lane['cursor'] === undefined) return ''
  const ended = readRuns(R.lane['ended'] ?? '')
  for (let offset = 0; offset < b.keys.length; offset++) {
    if ((offset >= Number(R.lane['cursor']) && !holds(ended, offset)) || has(had, offset)) continue
    const entry = R.parked[offset]
    if (entry === undefined || readParked(entry).round > 0)
      return `I1: Redis counts ${offset} as ended, the log has no outcome of it`
  }
  return ''
}

function lostInGroup({ G, had }: State, { b }: Context): string {
  if (G === '') return ''
  const [floor, text] = G.split(' ')
  const { cursor, open } = readGroupMetadata(text!) ?? { cursor: Number(floor), open: [] }
  for (let offset = 0; offset < b.keys.length; offset++)
    if (offset < cursor && !holds(open, offset) && !has(had, offset))
      return `I1: the group commit counts ${offset} as ended, the log has no outcome of it`
  return ''
}

function disagreement({ R, W }: State, { owners }: Context): string {
  if (R === 0) return ''
  for (const { id, k, ck } of W) {
    if (k === 0 || k.node < 0 || k.st !== LaneState.RUNNING || ck !== 0) continue
    const { epoch, owner, version } = R.lane
    if (epoch !== `${k.ep}` || owner !== id || version !== `${k.ver}`) continue
    const stored = owners.view(k.node).stored.join()
    const parked = Object.keys(R.parked).join()
    if (stored !== parked) return `I8: Redis has parked ${parked || 'nothing'}, its owner believes ${stored || 'nothing'}`
  }
  return ''
}

/** Every fault may give back what was spent since the last checkpoint, once. */
const refunds = ['crash', 'freeze', 'lapse', 'rollback', 'flush', 'leaderDies'] as const

function overspent({ log, ...s }: State, { b }: Context): string {
  const failed = new Set(log.filter((row) => row[4] === Outcome.FAILED).map(([offset, round]) => `${offset} ${round}`))
  const costs = [...failed].map((each) => (repliesOf(b, Number(each.split(' ')[0])).includes('BAD') ? 1 : 10))
  const spent = costs.reduce((sum, each) => sum + each, 0)
  const earned = 10 * log.filter((row) => row[4] === Outcome.DELIVERED).length
  const times = 1 + refunds.reduce((sum, fault) => sum + b[fault] - left(s as State, fault), 0)
  return spent > b.creditMax * times + earned ? `I9: giving up has cost ${spent}, of ${b.creditMax} and ${earned} earned` : ''
}

/** When nothing happens any more by itself. */
export function atRest(s: State, context: Context): string {
  const { b } = context
  if (s.W.some(({ k }) => k !== 0 && k.q)) return ''
  const offsets = Array.from({ length: b.keys.length }, (_, offset) => offset)
  const open = offsets.find((offset) => !has(s.had, offset))
  if (open !== undefined) return `I2: ${open} never gets an outcome`
  const isIdle = s.R === 0 && b.batches === 0
  if (!isIdle) {
    const cursor = s.R === 0 ? 'nothing' : s.R.lane['cursor']
    if (s.R === 0 || cursor !== `${b.keys.length}`) return `I2: the cursor stays at ${cursor}`
    const parked = Object.keys(s.R.parked)
    if (parked.length > 0) return `I8: ${parked} stay parked for nobody`
    if (Object.keys(s.R.inbox).length > 0) return 'I7: an item stays in the inbox'
  }
  const [last, , isExcused] = s.kl
  if (last >= 0 && last < s.km && !isExcused)
    return `I5: the endpoint's last word of key A is ${last}, though ${s.km} was sent before and is not sent again`
  const vague = offsets.find((offset) => s.log.some((row) => row[0] === offset) && outcomeOf(s, offset) === undefined)
  if (vague !== undefined && b.expire === 0) return `I6: ${vague} has rows and no outcome`
  return batchesAtRest(s, context)
}

/** Faults that may send an item in more than one round are none that a batch is asked to hide. */
const excuses = ['crash', 'freeze', 'lapse', 'rollback', 'flush', 'skipLookUp', 'expire'] as const

function batchesAtRest(s: State, { b }: Context): string {
  for (const [n, { sel }] of s.bt.entries()) {
    for (const [offset, rank] of Object.entries(sel)) {
      if (!isDone(s, Number(offset), rank)) return `I7: batch ${n} never ends ${offset}`
      const rounds = roundsOf(s, Number(offset), rank[0])
      const isCalm = excuses.every((fault) => left(s, fault) === b[fault])
      if (rounds.size > 1 && isCalm && s.bt.length === 1) return `I7: batch ${n} sent ${offset} in the rounds ${[...rounds]}`
    }
  }
  return ''
}
