import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client'

/**
 * Runs an INSERT with RowBinary rows, and resolves when ClickHouse has said to its end that it is done: no fire and forget, a deadline
 * on both sides. Rejects with ClickHouse's error, or with that of the connection, which says nothing about the rows.
 */
export async function sendRows(
  client: ClickHouseClient,
  query: string,
  rows: Buffer,
  timeoutMs: number,
  settings: ClickHouseSettings,
): Promise<void> {
  const { stream } = await client.exec({
    query,
    values: Readable.from([rows], { objectMode: false }),
    abort_signal: AbortSignal.timeout(timeoutMs),
    clickhouse_settings: {
      ...{ async_insert: 0, wait_end_of_query: 1, max_execution_time: Math.max(1, Math.floor(timeoutMs / 1000)) },
      ...settings,
    },
  })
  await finished(stream.resume())
}
