import type { ClickHouseClient } from '../runtime/clickhouse.ts'

/** A use case of one month: eight partitions, three attempts of a hundred are retried, one fails, in a handful of causes. */
export interface QueryRows {
  readonly rows: number
  readonly uid: string
  /** Unix ms of the first attempt. */
  readonly startMs: number
  readonly spanMs: number
}

export const rowPartitions = 8
const chunkRows = 500_000

const insertSql = `INSERT INTO attempt_inserts (uid, namespace, use_case, revision, cluster, topic, partition, replay, epoch, worker, purpose,
    method, url, offset, round, attempt, trigger, request_id, item, outcome, reason, status, attempt_time, expire_time, latency_us, record_time,
    key, key_hash, request_headers, request_bytes, request_body, response_headers, response_bytes, response_body, error)
  WITH sipHash64(number) AS h, h % 100 IN (1, 2, 3) AS isRetried, h % 100 = 50 AS isFailed,
    fromUnixTimestamp64Milli(toInt64({startMs: Int64} + intDiv(number, {partitions: UInt32}) * {stepMs: Float64}), 'UTC') AS t
  SELECT {uid: String}, 'shop', 'orders', 1, 'default', 'orders', number % {partitions: UInt32}, '', 1700000000000, 'worker-1', 'DELIVER',
    'POST', 'http://orders.internal/hook', intDiv(number, {partitions: UInt32}), 0, 1, 'INITIAL', number, 0,
    multiIf(isFailed, 'FAILED', isRetried, 'RETRY', 'DELIVERED'), multiIf(isFailed, 'NON_RETRYABLE_STATUS', isRetried, 'RETRYABLE_STATUS', 'NONE'),
    multiIf(isFailed, 400 + intDiv(h, 100) % 5 * 11, isRetried, 503, 200), t, toDateTime(t) + 7776000, toUInt32(exp(7 + h % 1000 / 333)), t - 0.2,
    concat('customer-', toString(h % 100000)), h % 4503599627370496, map('content-type', 'application/json', 'idempotency-key', toString(h)),
    200, concat('{"id":', toString(number), ',"text":"', repeat(hex(h), 8), '"}'), map('server', 'nginx'), 30,
    if(isFailed, concat('{"error":"order ', toString(number), ' has no customer ', toString(h % 1000), '","rule":"', ['age', 'name', 'place', 'sum']
      [1 + intDiv(h, 1000) % 4], '"}'), ''), ''
  FROM numbers({from: UInt64}, {count: UInt64})`

/** Generated inside of ClickHouse, and through the views, as rows of workers come. `told`: after each part, how many there are. */
export async function insertQueryRows(
  client: ClickHouseClient,
  { rows, uid, startMs, spanMs }: QueryRows,
  told: (done: number) => void,
): Promise<void> {
  const stepMs = (spanMs * rowPartitions) / rows
  for (let from = 0; from < rows; from += chunkRows) {
    const count = Math.min(chunkRows, rows - from)
    await client.command({
      query: insertSql,
      query_params: { uid, startMs, stepMs, partitions: rowPartitions, from, count },
      clickhouse_settings: {
        max_insert_block_size: String(chunkRows),
        max_partitions_per_insert_block: '1000',
        wait_end_of_query: 1,
      } as const,
    })
    told(from + count)
  }
}
