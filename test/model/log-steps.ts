import { Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { isExpelLost } from './blame.ts'
import type { Context, Go, Turn } from './context.ts'
import { bit, type Insert, left, type Row, type State, type Worker } from './state.ts'

export const isEnd = (row: Row): boolean => row[4] !== Outcome.RETRY
export const offsetsOf = (rows: readonly Row[]): string => rows.map((row) => row[0]).join()

/** Rows become durable, once each. */
export function addRows(turn: Turn, rows: readonly Row[]): void {
  const { s } = turn
  for (const row of rows) {
    if (s.log.some((known) => known.join() === row.join())) continue
    s.log.push(row)
  }
  note(turn, rows)
  s.log.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || a[3] - b[3] || a[4] - b[4])
}

/** They are durable, in the log or in the spool. */
function note({ s }: Turn, rows: readonly Row[]): void {
  for (const row of rows) if (isEnd(row)) s.had |= bit(row[0])
}

/** A worker's rows on their way into the log, and what is left of the dead ones'. */
export function logSteps(context: Context, s: State, go: Go): void {
  for (const [i, w] of s.W.entries()) workerLogSteps(context, w, i, go)
  for (const [j, { rows, late }] of s.orph.entries()) {
    go(`log: a dead worker's insert lands [${offsetsOf(rows)}]`, (turn) => {
      turn.s.orph.splice(j, 1)
      addRows(turn, rows)
      if (!late) blameLate(turn, rows)
    })
    go(`log: a dead worker's insert [${offsetsOf(rows)}] never lands`, (turn) => {
      turn.s.orph.splice(j, 1)
    })
  }
  if (s.sp.length > 0) go(`log: gets [${offsetsOf(s.sp[0]!)}] out of the spool`, (turn) => addRows(turn, turn.s.sp.shift()!))
  if (s.log.some((row) => row[5] < s.era))
    go(
      'log: old rows expire',
      (turn) => {
        turn.s.log = turn.s.log.filter((row) => row[5] >= s.era)
      },
      'expire',
    )
  if (left(s, 'tick') > 0)
    go(
      'more time passes than the margin of a look-up',
      (turn) => {
        turn.s.era++
      },
      'tick',
    )
}

function workerLogSteps({ b, on }: Context, w: Worker, i: number, go: Go): void {
  const isActive = w.up && !w.fz
  if (isActive && w.buf.length > 0 && w.in.length < b.inserts)
    go(`w${i}: inserts [${offsetsOf(w.buf)}]`, ({ s }) => {
      const worker = s.W[i]!
      worker.in.push({ rows: worker.buf, landed: false, twice: false })
      worker.buf = []
    })
  for (const [j, insert] of w.in.entries()) {
    if (insert.landed) {
      if (isActive) go(`w${i}: hears of insert [${offsetsOf(insert.rows)}]`, (turn) => acknowledge(turn, i))
      continue
    }
    go(`log: w${i}'s insert lands [${offsetsOf(insert.rows)}]`, (turn) => {
      const here = turn.s.W[i]!.in[j]!
      land(turn, here)
      here.landed = true
      if (isActive) acknowledge(turn, i)
    })
    go(
      `spool: takes ${w.id}'s insert [${offsetsOf(insert.rows)}]`,
      (turn) => {
        const here = turn.s.W[i]!.in[j]!
        turn.s.sp.push(here.rows)
        note(turn, here.rows)
        here.landed = true
        if (isActive) acknowledge(turn, i)
      },
      'spool',
    )
    if (isActive && !insert.twice)
      go(
        `log: w${i}'s insert lands [${offsetsOf(insert.rows)}], the answer is lost`,
        (turn) => loseAnswer(turn, i, j, on.token),
        'lostInsertReply',
      )
  }
}

/** The log keeps nothing under a token that it knows. */
function land(turn: Turn, insert: Insert): void {
  if (!insert.twice || turn.context.on.token) addRows(turn, insert.rows)
}

function loseAnswer(turn: Turn, i: number, j: number, isTokenKept: boolean): void {
  const worker = turn.s.W[i]!
  const insert = worker.in[j]!
  addRows(turn, insert.rows)
  insert.twice = true
  if (isTokenKept) return
  insert.rows = [...insert.rows, ...worker.buf]
  worker.buf = []
}

/** The rows' owners hear of what has landed, in the order of the rows. */
export function acknowledge(turn: Turn, i: number): void {
  const { s, context } = turn
  const w = s.W[i]!
  for (;;) {
    const j = context.on.ackInOrder ? (w.in[0]?.landed ? 0 : -1) : w.in.findIndex((insert) => insert.landed)
    if (j < 0) return
    const first = w.in.slice(0, j).flatMap((insert) => insert.rows.filter((row) => w.k !== 0 && row[2] === w.k.ep)).length
    const [{ rows }] = w.in.splice(j, 1) as [Insert]
    const count = rows.filter((row) => w.k !== 0 && row[2] === w.k.ep).length
    if (count > 0 && w.k !== 0 && w.k.node >= 0 && context.on.settledOnly)
      w.k.node = context.owners.step(w.k.node, ['ACKNOWLEDGED', first, count], 1).node
  }
}

/** A look-up that did not see them has been made: their records are sent again. */
function blameLate(turn: Turn, rows: readonly Row[]): void {
  const isLate = turn.s.W.some(
    ({ k }) =>
      k !== 0 &&
      k.node >= 0 &&
      rows.some((row) => row[2] < k.ep && isEnd(row) && !turn.s.log.some((o) => o[0] === row[0] && o[2] >= k.ep)),
  )
  if (isLate && !isExpelLost(turn))
    turn.blame("I3: a dead owner's insert landed after the look-up, so its records are sent again")
}
