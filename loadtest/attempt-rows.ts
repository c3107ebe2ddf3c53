import { type ClickHouseClient, connectClickHouse } from '../runtime/clickhouse.ts'

const queryMsMax = 60_000

/** Milliseconds. */
export interface Latency {
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface Latencies {
  /** From the record's time in Kafka to the end of the answer. */
  readonly appendToAnswer: Latency
  /** From the request to the end of its answer. */
  readonly request: Latency
}

/** Ferry's attempt log, read as an analyst would: with SQL. */
export class AttemptRows {
  readonly #client: ClickHouseClient
  readonly #database: string

  constructor(clickhouseUrl: string, database: string) {
    this.#database = database
    this.#client = connectClickHouse(clickhouseUrl, database, queryMsMax)
  }

  /** Rows, repeats among them. */
  async count(uid: string): Promise<number> {
    const { rows } = await this.#row<{ rows: number }>(
      'SELECT toFloat64(count()) AS rows FROM attempts WHERE uid = {uid: String}',
      {
        uid,
      },
    )
    return rows
  }

  /** Records with an attempt that was DELIVERED, each once. */
  async countDelivered(uid: string): Promise<number> {
    const { records } = await this.#row<{ records: number }>(
      `SELECT toFloat64(uniqExact(partition, offset)) AS records FROM attempts WHERE uid = {uid: String} AND outcome = 'DELIVERED'`,
      { uid },
    )
    return records
  }

  /** Without the first third of the attempts, which is warm-up. */
  async latencies(uid: string): Promise<Latencies> {
    const { appended, requested } = await this.#row<{ appended: [number, number]; requested: [number, number] }>(
      `WITH latency_us / 1000 AS request_ms,
        toUnixTimestamp64Milli(attempt_time) - toUnixTimestamp64Milli(record_time) + request_ms AS append_ms
      SELECT quantilesExact(0.5, 0.99)(append_ms) AS appended, quantilesExact(0.5, 0.99)(request_ms) AS requested
      FROM attempts WHERE uid = {uid: String} AND attempt_time >=
        (SELECT quantileExact(1 / 3)(attempt_time) FROM attempts WHERE uid = {uid: String})`,
      { uid },
    )
    return { appendToAnswer: toLatency(appended), request: toLatency(requested) }
  }

  async dropDatabase(): Promise<void> {
    await this.#client.command({ query: 'DROP DATABASE IF EXISTS {name: Identifier}', query_params: { name: this.#database } })
  }

  close(): Promise<void> {
    return this.#client.close()
  }

  async #row<T>(query: string, parameters: Record<string, string>): Promise<T> {
    const result = await this.#client.query({ query, query_params: parameters, format: 'JSONEachRow' })
    const [row] = await result.json<T>()
    if (row === undefined) throw new Error(`no row for ${query}`)
    return row
  }
}

const toLatency = ([p50Ms, p99Ms]: readonly [number, number]): Latency => ({ p50Ms, p99Ms })
