import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client'

export type { ClickHouseClient } from '@clickhouse/client'

/** The stock client; user and password may be part of the URL. */
export function connectClickHouse(url: string, database: string, requestTimeoutMs: number): ClickHouseClient {
  return createClient({
    url,
    database,
    application: 'ferry',
    // Whoever asked says what failed, in the process' own log.
    log: { level: ClickHouseLogLevel.OFF },
    request_timeout: requestTimeoutMs,
    max_open_connections: 16,
    // The engine has no result that is worth more than the CPU of compressing it on a near link.
    compression: { request: false, response: false },
  })
}
