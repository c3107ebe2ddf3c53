import type { ClickHouseClient } from '../../runtime/clickhouse.ts'
import type { LaneId } from '../../runtime/lane-keys.ts'

/** What the log knows of a lane that may have ended after its last checkpoint. */
export interface LogKnowledge {
  /** Offset -> highest round that has an outcome. */
  readonly ended: ReadonlyMap<number, number>
  /** Offset -> its highest round with an attempt, and the highest attempt of that. */
  readonly attempts: ReadonlyMap<number, { readonly round: number; readonly attempt: number }>
}

export interface LookUpRange {
  readonly id: LaneId
  /** From this offset up. */
  readonly fromOffset: number
  /** And these, wherever they are: what was parked. */
  readonly parkedFrom: number | undefined
  readonly sinceMs: number
  /** Only rows of this epoch or a later one count as ends. */
  readonly fromEpoch: number
}

/** Asks the log; rejects when it does not answer within timeoutMs. */
export async function lookUp(client: ClickHouseClient, range: LookUpRange, timeoutMs: number): Promise<LogKnowledge> {
  const { id } = range
  const query_params = {
    ...{ uid: id.uid, cluster: id.cluster, topic: id.topic, partition: id.partition },
    ...{
      from: Math.min(range.fromOffset, range.parkedFrom ?? range.fromOffset),
      since: range.sinceMs / 1000,
      epoch: range.fromEpoch,
    },
  }
  const where = `uid = {uid:String} AND cluster = {cluster:String} AND topic = {topic:String} AND partition = {partition:UInt32} AND replay = ''
    AND offset >= {from:UInt64}`
  const ask = async (query: string): Promise<string[][]> => {
    const answer = await client.query({
      query,
      query_params,
      format: 'JSONCompactStringsEachRow',
      abort_signal: AbortSignal.timeout(timeoutMs),
      clickhouse_settings: { max_execution_time: Math.max(1, Math.floor(timeoutMs / 1000)) },
    })
    return answer.json<string[]>()
  }
  const [outcomes, attempts] = await Promise.all([
    ask(
      `SELECT offset, max(round) FROM outcomes WHERE ${where} AND end_time >= toDateTime64({since:Float64}, 3) AND epoch >= {epoch:UInt64} GROUP BY offset`,
    ),
    range.parkedFrom === undefined
      ? []
      : ask(`SELECT offset, max((round, attempt)).1, max((round, attempt)).2 FROM attempts
          WHERE ${where} AND attempt_time >= toDateTime64({since:Float64}, 3) AND outcome = 'RETRY' GROUP BY offset`),
  ])
  return {
    ended: new Map(outcomes.map(([offset, round]) => [Number(offset), Number(round)])),
    attempts: new Map(
      attempts.map(([offset, round, attempt]) => [Number(offset), { round: Number(round), attempt: Number(attempt) }]),
    ),
  }
}
