import { compareRank, decidingRow } from '../../control-plane/attempts/outcome-rule.ts'
import { isAbsent } from '../../control-plane/retry-batches/lane-traces.ts'
import { readMark } from '../../control-plane/retry-batches/mark.ts'
import { Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { readInbox } from '../../runtime/lane-keys.ts'
import type { Context, Go, Turn } from './context.ts'
import { isEnd } from './log-steps.ts'
import type { InboxPlace } from './owner-lane.ts'
import { enqueue } from './redis-scripts.ts'
import { type Batch, msOf, type Row, type State } from './state.ts'
import { happen } from './worker-steps.ts'

const rankOf = ([, round, epoch, attempt]: Row) => ({ round, epoch, attempt })
const endsOf = ({ log }: State, offset: number): Row[] => log.filter((row) => row[0] === offset && isEnd(row))

/** The row that gives the delivery its outcome. */
export function outcomeOf(s: State, offset: number): Row | undefined {
  const rows = endsOf(s, offset).map((row) => ({ ...rankOf(row), outcome: row[4] === Outcome.DELIVERED ? 'DELIVERED' : '', row }))
  return decidingRow(rows)?.row
}

/** An item is done when the log has an end above the row that was selected, or any that delivered. */
export function isDone(s: State, offset: number, [round, epoch, attempt]: [number, number, number]): boolean {
  return endsOf(s, offset).some((row) => row[4] === Outcome.DELIVERED || compareRank(rankOf(row), { round, epoch, attempt }) > 0)
}

/** Retry batches: the coordinator pages through the log and hands items over; the owner takes them in. */
export function batchSteps(context: Context, s: State, go: Go): void {
  for (const [n, batch] of s.bt.entries()) coordinatorSteps(context, s, n, batch, go)
  for (const [i, w] of s.W.entries())
    if (s.bt.length > 0 && w.up && !w.fz && w.k !== 0 && w.k.st === LaneState.RUNNING) inboxStep(context, s, i, go)
}

function coordinatorSteps(context: Context, s: State, n: number, batch: Batch, go: Go): void {
  const selected = Object.keys(batch.sel).map(Number)
  if (selected.length === 0) {
    const failed = [...new Set(s.log.map((row) => row[0]))].filter((offset) => outcomeOf(s, offset)?.[4] === Outcome.FAILED)
    if (failed.length > 0)
      go(`batch ${n}: is made for ${failed}`, (turn) => {
        for (const offset of failed)
          turn.s.bt[n]!.sel[offset] = (outcomeOf(s, offset) as Row).slice(1, 4) as [number, number, number]
      })
    return
  }
  const dies = (turn: Turn): void => {
    const here = turn.s.bt[n]!
    Object.assign(here, { late: here.page, lateLap: here.lap, page: -1 } satisfies Partial<Batch>)
  }
  if (batch.page >= 0) {
    go(`batch ${n}: hands ${batch.page} over`, (turn) => handOver(turn, n, batch.page, batch.lap))
    go(`batch ${n}: its coordinator stops with ${batch.page} in its hands, another one goes on`, dies, 'coordinatorDies')
  } else pageSteps(context, s, n, batch, selected, go)
  if (batch.late >= 0) {
    go(`batch ${n}: the former coordinator hands ${batch.late} over`, (turn) => {
      turn.s.bt[n]!.late = -1
      enqueueItem(turn, n, batch.late, batch.lateLap)
    })
    go(`batch ${n}: the former coordinator is gone`, (turn) => {
      turn.s.bt[n]!.late = -1
    })
  }
}

function pageSteps({ on }: Context, s: State, n: number, { sel, lap }: Batch, selected: readonly number[], go: Go): void {
  const { R } = s
  if (R === 0) return
  const mark = on.watermark ? readMark(R.lane[`mark:b${n}`] ?? null, lap)!.offset : -1
  const pending = selected.filter((offset) => !on.pageSkipsEnded || !isDone(s, offset, sel[offset]!))
  const absent = pending.filter((offset) =>
    isAbsent({ offset, round: sel[offset]![0], stale: false }, `b${n}`, R.inbox[offset], R.parked[offset]),
  )
  const next = (on.watermark ? pending : absent).find((offset) => offset > mark)
  if (next !== undefined)
    go(`batch ${n}: pages to ${next}`, (turn) => {
      turn.s.bt[n]!.page = next
    })
  // While its delivery is still parked, another lap would find the same.
  else if (absent.some((offset) => R.parked[offset] === undefined && !isDone(s, offset, sel[offset]!)))
    go(`batch ${n}: goes through its items once more`, (turn) => {
      turn.s.bt[n]!.lap++
    })
}

function handOver(turn: Turn, n: number, offset: number, lap: number): void {
  turn.s.bt[n]!.page = -1
  enqueueItem(turn, n, offset, lap)
}

function enqueueItem({ s, context }: Turn, n: number, offset: number, lap: number): void {
  if (s.R === 0) return
  const items = [{ offset, round: s.bt[n]!.sel[offset]![0], stale: false }]
  enqueue(s.R, { batch: `b${n}`, lap, items, inboxMax: 100, handedMax: undefined }, context.on)
}

/** The owner reads its inbox and asks the log. */
function inboxStep({ owners, on }: Context, s: State, i: number, go: Go): void {
  const { k } = s.W[i]!
  if (s.R === 0 || k === 0 || owners.view(k.node).hasTaken || (on.spoolInbox && s.sp.length > 0)) return
  const { cursor } = owners.view(k.node)
  const places: InboxPlace[] = Object.entries(s.R.inbox)
    .filter(([field]) => Number(field) < cursor)
    .map(([field, text]) => {
      const offset = Number(field)
      const ends = endsOf(s, offset)
      const round = ends.length === 0 ? null : Math.max(...ends.map((row) => row[1]))
      return [offset, readInbox(text), round, ends.some((row) => row[4] === Outcome.DELIVERED)]
    })
  if (places.length === 0 || owners.step(k.node, ['INBOX', places], msOf(s.era)).node === k.node) return
  go(`${s.W[i]!.id}: takes its inbox in`, (turn) => happen(turn, turn.s.W[i]!, ['INBOX', places]))
}

/** Rounds in which each item of the batch has ended. */
export const roundsOf = (s: State, offset: number, above: number): Set<number> =>
  new Set(
    endsOf(s, offset)
      .filter((row) => row[1] > above)
      .map((row) => row[1]),
  )
