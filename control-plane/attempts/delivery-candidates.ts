import type { DeliveryFilter } from '../../proto/gen/ferry/v1/deliveries_pb.ts'
import type { Run } from '../../runtime/lane-keys.ts'
import { endedRows, type Wanted } from './delivery-filter.ts'
import { type RangeRow, skips } from './delivery-state.ts'
import type { WholeLane } from './lane-position.ts'
import type { LogReader } from './log-reader.ts'
import { clip, subtract, toRuns } from './runs.ts'
import { type Subject, subjectParams, subjectSql } from './subject.ts'

/** Offsets that a filter may select, the highest first. */
export interface Candidates {
  readonly offsets: readonly number[]
  /** All of them down to here have been named. */
  readonly from: number
  readonly ranges: readonly (Run & RangeRow)[]
}

/** One partition, and where to look in it. */
export interface Search {
  readonly log: LogReader
  readonly subject: Subject
  readonly partition: number
  readonly lane: WholeLane
  readonly wanted: Wanted
  readonly filter: DeliveryFilter | undefined
  /** What the lane has neither settled nor parked, as far as Kafka goes. */
  readonly unread: readonly Run[]
}

export const narrow =
  'Narrow it: give filter.partition with filter.from_offset and filter.to_offset, or filter.from_time and filter.to_time'

const rangesMax = 1000

const inWindowSql = 'partition = {partition: UInt32} AND offset >= {from: UInt64} AND offset < {below: UInt64}'

const rangesSql = `SELECT run.1 AS first, run.2 AS last, toString(kind) AS kind, reason FROM ranges ARRAY JOIN runs AS run
  WHERE ${subjectSql} AND partition = {partition: UInt32} AND run.2 >= {from: UInt64} AND run.1 < {below: UInt64}
  GROUP BY ALL ORDER BY last DESC, first DESC LIMIT ${rangesMax}`

const sentSql = `SELECT DISTINCT offset FROM attempts_live
  WHERE uid = {uid: String} AND ${inWindowSql} AND purpose = 'DELIVER' AND replay = '' ORDER BY offset DESC LIMIT {rowsMax: UInt32}`

/** Looks at offsets from `from` to below `below`, and stops when it has `rowsMax`. */
export async function findCandidates(search: Search, from: number, below: number, rowsMax: number): Promise<Candidates> {
  const { wanted, lane } = search
  const window = { from, below }
  const ask = async <Row>(isAsked: boolean, sql: string, more: object): Promise<Row[]> => {
    if (!isAsked) return []
    const { log, subject, partition } = search
    return log.select<Row>({ sql, params: { ...subjectParams(subject), partition, ...window, rowsMax, ...more }, narrow })
  }
  const rows = endedRows(search.filter)
  const endedSql = `SELECT DISTINCT offset FROM outcomes WHERE ${subjectSql} AND ${inWindowSql} AND ${rows.sql}
    ORDER BY offset DESC LIMIT {rowsMax: UInt32}`
  const unread = Math.max(from, lane.cursor ?? 0)
  const [ended, ranges, sent] = await Promise.all([
    ask<{ offset: number }>(wanted.ended, endedSql, rows.params),
    ask<Run & RangeRow>(wanted.skipped || wanted.waiting, rangesSql, {}),
    ask<{ offset: number }>(wanted.sending && unread < below, sentSql, { from: unread }),
  ])
  const skippedRuns = wanted.skipped ? clip(toRuns(ranges.filter(({ kind }) => skips(kind))), from, below) : []
  // What the log says is no record does not wait.
  const waitingRuns = wanted.waiting ? subtract(clip(search.unread, from, below), toRuns(ranges)) : []
  const lists = [
    ended.map(({ offset }) => offset),
    sent.map(({ offset }) => offset),
    highest(skippedRuns, rowsMax),
    highest(waitingRuns, rowsMax),
  ]
  const parked = wanted.parked ? [...lane.parked.keys()].filter((offset) => offset >= from && offset < below) : []
  const cuts = lists.filter((list) => list.length === rowsMax).map((list) => list.at(-1)!)
  if (ranges.length === rangesMax) cuts.push(Math.min(ranges.at(-1)!.last, below - 1))
  const complete = Math.max(from, ...cuts)
  const offsets = [...new Set([...lists.flat(), ...parked])].filter((offset) => offset >= complete).sort((a, b) => b - a)
  if (offsets.length <= rowsMax) return { offsets, from: complete, ranges }
  return { offsets: offsets.slice(0, rowsMax), from: offsets[rowsMax - 1]!, ranges }
}

export function unreadOf(lane: WholeLane, end: number): Run[] {
  const parked = [...lane.parked.keys()].map((offset) => ({ first: offset, last: offset }))
  return subtract(toRuns([{ first: lane.cursor ?? 0, last: end - 1 }]), toRuns([...lane.ended, ...parked]))
}

function highest(runs: readonly Run[], count: number): number[] {
  const offsets: number[] = []
  for (const { first, last } of runs.toReversed())
    for (let offset = last; offset >= first && offsets.length < count; offset--) offsets.push(offset)
  return offsets
}
