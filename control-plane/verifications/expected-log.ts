import type { ClickHouseClient } from '../../runtime/clickhouse.ts'
import type { LogReader } from '../attempts/log-reader.ts'
import { QueryError } from '../attempts/query-error.ts'
import type { Subject } from '../attempts/subject.ts'
import type { ExpectedWindow } from './expected-window.ts'

interface WindowRow {
  readonly window_id: string
  readonly partitions: readonly number[]
  readonly froms: readonly number[]
  readonly tos: readonly number[]
  readonly records: number
  readonly has_key_checksum: boolean
  /** Text: numbers of 64 bits are not exact otherwise. */
  readonly checksum: string
  readonly topic_id: string
  readonly reporter: string
  readonly report_ms: number
}

// The newest report of each window.
const pageSql = `SELECT window_id, partitions, froms, tos, records, has_key_checksum, toString(key_checksum) AS checksum, topic_id, reporter,
    toUnixTimestamp64Milli(report_time) AS report_ms
  FROM expected_windows WHERE uid = {uid: String} AND window_id > {after: String} AND ({all: Bool} OR window_id IN {ids: Array(String)})
  ORDER BY window_id, report_time DESC LIMIT 1 BY window_id LIMIT {size: UInt32}`

const countSql = 'SELECT uniqExact(window_id) AS windows FROM expected_windows WHERE uid = {uid: String}'

const narrow = 'Name fewer windows'

/** What producers have reported, in ClickHouse. */
export class ExpectedLog {
  readonly #clickhouse: ClickHouseClient
  readonly #log: LogReader
  readonly #timeoutMs: number

  constructor(clickhouse: ClickHouseClient, log: LogReader, timeoutMs: number) {
    this.#clickhouse = clickhouse
    this.#log = log
    this.#timeoutMs = timeoutMs
  }

  async count({ uid }: Subject): Promise<number> {
    const [row] = await this.#log.select<{ windows: number }>({ sql: countSql, params: { uid }, narrow })
    return row!.windows
  }

  /** By id, from behind a given one on; no ids means all. */
  async page({ uid }: Subject, ids: readonly string[], after: string, size: number): Promise<ExpectedWindow[]> {
    const params = { uid, after, all: ids.length === 0, ids, size }
    const rows = await this.#log.select<WindowRow>({ sql: pageSql, params, narrow })
    return rows.map((row) => ({
      ...{ id: row.window_id, count: row.records, topicId: row.topic_id, reporter: row.reporter, reportMs: row.report_ms },
      slices: row.partitions.map((partition, at) => ({ partition, from: row.froms[at]!, to: row.tos[at]! })),
      keyChecksum: row.has_key_checksum ? BigInt(row.checksum) : undefined,
    }))
  }

  /** All or none. Reported again, the newest one counts. */
  async insert({ uid, name }: Subject, windows: readonly ExpectedWindow[]): Promise<void> {
    const [, namespace, , useCase] = name.split('/')
    const values = windows.map((window) => ({
      ...{ uid, namespace, use_case: useCase, topic_id: window.topicId, window_id: window.id },
      partitions: window.slices.map(({ partition }) => partition),
      froms: window.slices.map(({ from }) => from),
      tos: window.slices.map(({ to }) => to),
      ...{ records: window.count, has_key_checksum: window.keyChecksum !== undefined, reporter: window.reporter },
      ...{ key_checksum: String(window.keyChecksum ?? 0n), report_time: window.reportMs },
    }))
    try {
      await this.#clickhouse.insert({
        ...{ table: 'expected_windows', values, format: 'JSONEachRow', abort_signal: AbortSignal.timeout(this.#timeoutMs) },
        clickhouse_settings: { async_insert: 0, wait_end_of_query: 1, max_execution_time: Math.ceil(this.#timeoutMs / 1000) },
      })
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new QueryError('LOG_UNAVAILABLE', `ClickHouse does not take what was reported (${why}): report it again`, [], error)
    }
  }
}
