import { Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { readStored } from '../../worker/lane/lane-state.ts'
import { knowledgeOf, type LogKnowledge, type LookUpRange } from '../../worker/lane/look-up.ts'
import { baseOfGroup, baseOfStored, lookUpRange, type TakeoverBase } from '../../worker/lane/takeover.ts'
import { keyOf } from './bounds.ts'
import type { Context, Turn } from './context.ts'
import { isEnd } from './log-steps.ts'
import { bit, has, type Keeper, msOf, type Row, type State } from './state.ts'

const id = { uid: 'u1', cluster: 'default', topic: 't', partition: 0 }

/** From Redis, else from Kafka's group; undefined: nobody knows where the lane was. */
function baseOf(s: State, k: Keeper, { on }: Context): TakeoverBase | undefined {
  if (k.base === 0) throw new Error('a takeover without a claim')
  const stored = readStored(new Map(Object.entries(k.base.lane)), new Map(Object.entries(k.base.parked)))
  const base = baseOfStored(stored, on.cleanByRelease ? k.rel : stored.version)
  if (base !== undefined) return base
  if (s.G === '') return undefined
  const [floor, metadata] = s.G.split(' ')
  return baseOfGroup(Number(floor), on.groupMetadata ? metadata! : '')
}

/** What the queries of look-up.ts answer, of these rows; look-up.test.ts asks a real ClickHouse the same. */
export function ask(log: readonly Row[], range: LookUpRange): LogKnowledge {
  const within = log.filter(
    (row) => (row[0] >= range.fromOffset || range.parked.includes(row[0])) && msOf(row[5]) >= range.sinceMs,
  )
  const offsets = [...new Set(within.map((row) => row[0]))]
  const ends: number[][] = []
  const tries: number[][] = []
  for (const offset of offsets) {
    const of = within.filter((row) => row[0] === offset)
    const ended = of.filter((row) => isEnd(row) && row[2] >= range.fromEpoch)
    if (ended.length > 0) ends.push([offset, Math.max(...ended.map((row) => row[1])), Math.max(...ended.map((row) => row[2]))])
    const tried = of.filter((row) => row[4] === Outcome.RETRY)
    if (tried.length === 0) continue
    const [, round, , attempt] = tried.reduce((a, b) => (b[1] > a[1] || (b[1] === a[1] && b[3] > a[3]) ? b : a))
    tries.push([offset, round, attempt, Math.max(...tried.map((row) => row[2]))])
  }
  return knowledgeOf(ends, tries)
}

/** The new owner asks the log, or does without, and makes its lane. */
export function takeOver(turn: Turn, k: Keeper, skips: boolean): void {
  const { s, context } = turn
  const { b, on, owners } = context
  const base = baseOf(s, k, context)
  if (base === undefined) {
    k.q = true
    return
  }
  let knowledge: LogKnowledge | undefined
  if (!base.clean && !skips && on.lookUp) {
    const whole = lookUpRange(id, b.ordering, base)
    const range = { ...whole, fromEpoch: on.lookUpByWriter ? whole.fromEpoch : 0, parked: on.lookUpParked ? whole.parked : [] }
    knowledge = weaken(ask(s.log, range), on)
  }
  const weak = { ...base, ended: on.endedRuns ? base.ended : [], credit: on.creditSaved ? base.credit : undefined }
  k.node = owners.start(weak, knowledge)
  const whole = { ...context, on: { ...on, groupMetadata: true } }
  k.known = knownTo(s, context, baseOf(s, k, whole)!, skips)
  k.base = 0
  k.q = false
  const { cursor } = base
  if (cursor < b.keys.length) k.node = owners.step(k.node, ['FEED', cursor, b.keys.length], msOf(s.era)).node
  if (!on.checkpointFirst) k.st = LaneState.RUNNING
}

function weaken({ ended, attempts }: LogKnowledge, on: Context['on']): LogKnowledge {
  const weak = [...ended].map(([offset, end]) => {
    const round = on.lookUpByRound ? end.round : 1_000_000
    return [offset, on.newestEpoch ? { ...end, round } : { round, epoch: 0, sentEpoch: 0 }] as const
  })
  return { ended: new Map(weak), attempts }
}

/**
 * What ought to be known to have ended from here on, said by the promise and not by the code: nothing of it may be sent again.
 * KEY: only what nothing of its key comes before that is sent again.
 */
function knownTo({ log, sp }: State, { b, on }: Context, base: TakeoverBase, skips: boolean): number {
  let known = 0
  // Where a takeover may go on without the spool, what is in it is not known.
  const durable = b.skipLookUp > 0 ? log : [...log, ...sp.flat()]
  const rowsOf = (offset: number): Row[] => (skips ? [] : durable.filter((row) => row[0] === offset))
  const told = (offset: number): boolean =>
    !base.parked.has(offset) && (offset < base.cursor || base.ended.some((run) => run.first <= offset && offset <= run.last))
  const newest = new Map<string, number>()
  // Rows of older epochs that came late are repeats; after a clean checkpoint nobody looks for them.
  const fromEpoch = (b.ordering !== 'UNORDERED' && on.lookUpByWriter) || base.clean ? base.writer : 0
  for (let offset = 0; offset < b.keys.length; offset++) {
    const key = keyOf(b, offset) ?? `${offset}`
    const rows = rowsOf(offset)
    const entry = base.parked.get(offset)
    if (entry !== undefined && entry.round > 0) {
      if (rows.some((row) => isEnd(row) && row[1] >= entry.round && row[2] >= fromEpoch)) known |= bit(8 + offset)
      continue
    }
    const epoch = Math.max(-1, ...rows.filter((row) => isEnd(row) && row[2] >= fromEpoch).map((row) => row[2]))
    const before = newest.get(key) ?? 0
    if (!told(offset) && epoch < before) newest.set(key, Number.POSITIVE_INFINITY)
    else if (!told(offset) && epoch < 0) newest.set(key, Number.POSITIVE_INFINITY)
    else if (before < Number.POSITIVE_INFINITY) {
      known |= bit(offset)
      if (!told(offset)) newest.set(key, Math.max(before, ...rows.map((row) => row[2])))
    }
  }
  return known
}

export const isKnown = (k: Keeper, offset: number, round: number): boolean => has(k.known, round > 0 ? 8 + offset : offset)
