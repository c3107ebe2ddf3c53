import type { ClickHouseClient } from '../../runtime/clickhouse.ts'
import type { Cluster } from '../../runtime/kafka.ts'
import { fetchRecords } from '../source/fetch-records.ts'
import type { Keeper } from './keeper.ts'
import type { RecordSources } from './retry-desk.ts'

/** The real ones, of one lane. */
export function recordSources(
  keeper: Pick<Keeper, 'id' | 'laneState' | 'topicId'>,
  cluster: Cluster,
  clickhouse: ClickHouseClient,
  queryTimeoutMs: number,
): RecordSources {
  return {
    redis: (offsets) => keeper.laneState.bytes(offsets),
    kafka: async (offsets, take) => {
      const { id, topicId } = keeper
      // Another topic may have the name by now.
      if (topicId === undefined) throw new Error(`it is not known yet which topic ${id.topic} is`)
      await fetchRecords(cluster, { topic: id.topic, topicId, partition: id.partition }, offsets, take)
    },
    payloads: async (offsets) => {
      const answer = await clickhouse.query({
        query: `SELECT offset, base64Encode(any(packed_record)) FROM payloads WHERE uid = {uid:String} AND cluster = {cluster:String}
          AND topic = {topic:String} AND partition = {partition:UInt32} AND offset IN {offsets:Array(UInt64)} GROUP BY offset`,
        query_params: { ...keeper.id, offsets },
        format: 'JSONCompactStringsEachRow',
        abort_signal: AbortSignal.timeout(queryTimeoutMs),
      })
      const rows = await answer.json<[string, string]>()
      return new Map(rows.map(([offset, packed]) => [Number(offset), Buffer.from(packed, 'base64')]))
    },
  }
}
