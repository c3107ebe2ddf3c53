import type { ClickHouseClient } from '../../runtime/clickhouse.ts'
import { type LaneId, loggedLane } from '../../runtime/lane-keys.ts'

/** What the log knows of a lane that may have ended after its last checkpoint. */
export interface LogKnowledge {
  /** By offset. */
  readonly ended: ReadonlyMap<number, LoggedEnd>
  /** Offset -> its highest round with an attempt that ended nothing, and the highest attempt of that. */
  readonly attempts: ReadonlyMap<number, { readonly round: number; readonly attempt: number }>
}

export interface LoggedEnd {
  /** The highest that has an outcome. */
  readonly round: number
  /** The newest that gave it an outcome. */
  readonly epoch: number
  /** The newest that sent it, whatever came of it. */
  readonly sentEpoch: number
}

export interface LookUpRange {
  readonly id: LaneId
  /** From this offset up. */
  readonly fromOffset: number
  /** And these, wherever they are. */
  readonly parked: readonly number[]
  readonly sinceMs: number
  /** Only rows of this epoch or a later one count as ends. */
  readonly fromEpoch: number
}

/** Offsets of one query: its text has them, so that the address of the request stays short. */
const OFFSETS_MAX = 10_000
/** Longer than the longest attempt takes, whose row says when it was sent: the contract allows it connect and request timeouts of 660 s. */
const ATTEMPT_MS_MAX = 900_000

const laneSql = `uid = {uid:String} AND cluster = {cluster:String} AND topic = {topic:String} AND partition = {partition:UInt32} AND replay = {replay:String}`

/**
 * Asks the log; rejects when it does not answer each question within timeoutMs. What ended below fromOffset is asked for what
 * is parked only: between the lowest parked offset and the cursor there may be millions.
 */
export async function lookUp(client: ClickHouseClient, range: LookUpRange, timeoutMs: number): Promise<LogKnowledge> {
  const { id, fromOffset, sinceMs, fromEpoch } = range
  const ask = async (query: string): Promise<number[][]> => {
    const answer = await client.query({
      query,
      query_params: {
        ...loggedLane(id),
        from: fromOffset,
        since: sinceMs / 1000,
        sent: Math.max(0, sinceMs - ATTEMPT_MS_MAX) / 1000,
        epoch: fromEpoch,
      },
      format: 'JSONCompactStringsEachRow',
      abort_signal: AbortSignal.timeout(timeoutMs),
      clickhouse_settings: { max_execution_time: Math.max(1, Math.floor(timeoutMs / 1000)) },
    })
    return (await answer.json<string[]>()).map((row) => row.map(Number))
  }
  // One insert reaches both tables, but not as one: an outcome alone is of an insert that nobody has repeated.
  const endsSql = (which: string): string => `SELECT offset, max(round), max(epoch) FROM outcomes
    WHERE ${laneSql} AND ${which} AND end_time >= toDateTime64({since:Float64}, 3) AND epoch >= {epoch:UInt64}
    AND (expire_time <= now() OR (offset, round, epoch, attempt) IN (SELECT offset, round, epoch, attempt FROM attempts
      WHERE ${laneSql} AND ${which} AND attempt_time >= toDateTime64({sent:Float64}, 3) AND outcome != 'RETRY')) GROUP BY offset`
  const triesSql = (
    which: string,
  ): string => `SELECT offset, max((round, attempt)).1, max((round, attempt)).2, max(epoch) FROM attempts
    WHERE ${laneSql} AND ${which} AND attempt_time >= toDateTime64({since:Float64}, 3) AND outcome = 'RETRY' GROUP BY offset`
  const questions = ['offset >= {from:UInt64}']
  for (let at = 0; at < range.parked.length; at += OFFSETS_MAX)
    questions.push(`offset IN (${range.parked.slice(at, at + OFFSETS_MAX).join(',')})`)
  const ends: number[][] = []
  const tries: number[][] = []
  for (const which of questions) {
    ends.push(...(await ask(endsSql(which))))
    tries.push(...(await ask(triesSql(which))))
  }
  return knowledgeOf(ends, tries)
}

/** From what the two questions answer: offset, round, epoch of ends; offset, round, attempt, epoch of tries. */
export function knowledgeOf(ends: readonly (readonly number[])[], tries: readonly (readonly number[])[]): LogKnowledge {
  const sent = new Map(tries.map(([offset, , , epoch]) => [offset!, epoch!]))
  return {
    ended: new Map(
      ends.map(([offset, round, epoch]) => [
        offset!,
        { round: round!, epoch: epoch!, sentEpoch: Math.max(epoch!, sent.get(offset!) ?? 0) },
      ]),
    ),
    attempts: new Map(tries.map(([offset, round, attempt]) => [offset!, { round: round!, attempt: attempt! }])),
  }
}
