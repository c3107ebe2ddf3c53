import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { ClickHouseClient } from '../../runtime/clickhouse.ts'
import type { Cluster } from '../../runtime/kafka.ts'
import { loggedLane } from '../../runtime/lane-keys.ts'
import { fetchRecords } from '../source/fetch-records.ts'
import type { Keeper } from './keeper.ts'
import type { RecordSources } from './load-bytes.ts'
import type { LastEnd } from './parked.ts'

/** The real ones, of one lane. */
export function recordSources(
  keeper: Pick<Keeper, 'id' | 'laneState' | 'topicId'>,
  cluster: Cluster,
  clickhouse: ClickHouseClient,
  queryTimeoutMs: number,
): RecordSources {
  const ask = async <T>(query: string, offsets: readonly number[]): Promise<T[]> => {
    const answer = await clickhouse.query({
      ...{ query, query_params: { ...loggedLane(keeper.id), offsets }, format: 'JSONCompactStringsEachRow' },
      abort_signal: AbortSignal.timeout(queryTimeoutMs),
    })
    return answer.json<T>()
  }
  return {
    redis: (offsets) => keeper.laneState.bytes(offsets),
    kafka: async (offsets, take) => {
      const { id, topicId } = keeper
      // Another topic may have the name by now.
      if (topicId === undefined) throw new Error(`it is not known yet which topic ${id.topic} is`)
      await fetchRecords(cluster, { topic: id.topic, topicId, partition: id.partition }, offsets, take)
    },
    payloads: async (offsets) => {
      const rows = await ask<[string, string]>(payloadsSql, offsets)
      return new Map(rows.map(([offset, packed]) => [Number(offset), Buffer.from(packed, 'base64')]))
    },
    lastEnds: async (offsets) => {
      const rows = await ask<[string, string, string, string]>(lastEndsSql, offsets)
      return new Map(
        rows.map(([offset, reason, status, error]): [number, LastEnd] => [
          Number(offset),
          { reason: Reason[reason as keyof typeof Reason] ?? 0, status: Number(status), error },
        ]),
      )
    },
  }
}

const laneSql = `uid = {uid:String} AND cluster = {cluster:String} AND topic = {topic:String} AND partition = {partition:UInt32}
  AND offset IN {offsets:Array(UInt64)}`
const payloadsSql = `SELECT offset, base64Encode(any(packed_record)) FROM payloads WHERE ${laneSql} GROUP BY offset`
const lastEndsSql = `SELECT offset, toString(reason), status, error FROM attempts WHERE ${laneSql} AND replay = {replay:String}
  ORDER BY round DESC, epoch DESC, attempt DESC LIMIT 1 BY offset`
