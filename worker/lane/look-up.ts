import type { ClickHouseClient } from '../../runtime/clickhouse.ts'
import type { LaneId } from '../../runtime/lane-keys.ts'

/** What the log knows of a lane that may have ended after its last checkpoint. */
export interface LogKnowledge {
  /** Offset -> highest round that has an outcome. */
  readonly ended: ReadonlyMap<number, number>
  /** Parked offset -> its highest round with an attempt, and the highest attempt of that. */
  readonly attempts: ReadonlyMap<number, { readonly round: number; readonly attempt: number }>
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

const laneSql = `uid = {uid:String} AND cluster = {cluster:String} AND topic = {topic:String} AND partition = {partition:UInt32} AND replay = ''`

/**
 * Asks the log; rejects when it does not answer each question within timeoutMs. What ended below fromOffset is asked for what
 * is parked only: between the lowest parked offset and the cursor there may be millions.
 */
export async function lookUp(client: ClickHouseClient, range: LookUpRange, timeoutMs: number): Promise<LogKnowledge> {
  const { id, fromOffset, sinceMs, fromEpoch } = range
  const ask = async (query: string): Promise<number[][]> => {
    const answer = await client.query({
      query,
      query_params: { ...id, from: fromOffset, since: sinceMs / 1000, epoch: fromEpoch },
      format: 'JSONCompactStringsEachRow',
      abort_signal: AbortSignal.timeout(timeoutMs),
      clickhouse_settings: { max_execution_time: Math.max(1, Math.floor(timeoutMs / 1000)) },
    })
    return (await answer.json<string[]>()).map((row) => row.map(Number))
  }
  const endsSql = (which: string): string => `SELECT offset, max(round) FROM outcomes
    WHERE ${laneSql} AND ${which} AND end_time >= toDateTime64({since:Float64}, 3) AND epoch >= {epoch:UInt64} GROUP BY offset`
  const ended = await ask(endsSql('offset >= {from:UInt64}'))
  const attempts: number[][] = []
  for (let at = 0; at < range.parked.length; at += OFFSETS_MAX) {
    const which = `offset IN (${range.parked.slice(at, at + OFFSETS_MAX).join(',')})`
    ended.push(...(await ask(endsSql(which))))
    attempts.push(
      ...(await ask(`SELECT offset, max((round, attempt)).1, max((round, attempt)).2 FROM attempts
        WHERE ${laneSql} AND ${which} AND attempt_time >= toDateTime64({since:Float64}, 3) AND outcome = 'RETRY' GROUP BY offset`)),
    )
  }
  return {
    ended: new Map(ended.map(([offset, round]) => [offset!, round!])),
    attempts: new Map(attempts.map(([offset, round, attempt]) => [offset!, { round: round!, attempt: attempt! }])),
  }
}
