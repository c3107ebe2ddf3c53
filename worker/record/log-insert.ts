import { Readable } from 'node:stream'
import type { ClickHouseClient } from '../../runtime/clickhouse.ts'

/** Inserts frozen bytes; resolves when they are durable. Whatever it throws, the same bytes with the same token may be tried again. */
export type Insert = (table: string, rows: Buffer, token: string) => Promise<void>

/** Every insert carries its own durability: no fire and forget, a deadline on both sides, a token that makes it safe to repeat. */
export function createInsert(client: ClickHouseClient, timeoutMs: number): Insert {
  return async (table, rows, token) => {
    const { stream } = await client.exec({
      query: `INSERT INTO ${table} FORMAT RowBinary`,
      values: Readable.from([rows], { objectMode: false }),
      abort_signal: AbortSignal.timeout(timeoutMs),
      clickhouse_settings: {
        async_insert: 0,
        wait_end_of_query: 1,
        insert_deduplication_token: token,
        deduplicate_blocks_in_dependent_materialized_views: 1,
        max_execution_time: Math.max(1, Math.floor(timeoutMs / 1000)),
      },
    })
    stream.resume()
  }
}
