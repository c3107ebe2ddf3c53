import type { ClickHouseClient } from '../../runtime/clickhouse.ts'
import type { Cluster } from '../../runtime/kafka.ts'
import type { LaneId } from '../../runtime/lane-keys.ts'
import { fetchRecords } from '../source/fetch-records.ts'
import type { LaneState } from './lane-state.ts'
import type { RecordSources } from './retry-desk.ts'

/** The real ones, of one lane. */
export function recordSources(
  id: LaneId,
  state: LaneState,
  cluster: Cluster,
  clickhouse: ClickHouseClient,
  queryTimeoutMs: number,
): RecordSources {
  return {
    redis: (offsets) => state.bytes(offsets),
    kafka: (offsets, take) => fetchRecords(cluster, id.topic, id.partition, offsets, take),
    payloads: async (offsets) => {
      const answer = await clickhouse.query({
        query: `SELECT offset, base64Encode(any(packed_record)) FROM payloads WHERE uid = {uid:String} AND cluster = {cluster:String}
          AND topic = {topic:String} AND partition = {partition:UInt32} AND offset IN {offsets:Array(UInt64)} GROUP BY offset`,
        query_params: { ...id, offsets },
        format: 'JSONCompactStringsEachRow',
        abort_signal: AbortSignal.timeout(queryTimeoutMs),
      })
      const rows = await answer.json<[string, string]>()
      return new Map(rows.map(([offset, packed]) => [Number(offset), Buffer.from(packed, 'base64')]))
    },
  }
}
