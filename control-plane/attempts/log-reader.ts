import type { ClickHouseClient } from '../../runtime/clickhouse.ts'
import { Calls } from '../../runtime/metrics/calls.ts'
import { QueryError } from './query-error.ts'

/** Bounds of one query. A query that would pass them is refused, and the log stays free for those that write. */
export interface ReadLimits {
  readonly executionTimeoutMs: number
  readonly rowsToReadMax: number
  /** A grouping above it goes to disk; it is not refused. */
  readonly groupBytesMax: number
}

/** A question in ClickHouse's SQL. Values go in as parameters, as `{name: Type}`, and never into the text. */
export interface Question {
  readonly sql: string
  readonly params: Readonly<Record<string, unknown>>
  /** What a caller can do when the question is too large, as a sentence. */
  readonly narrow: string
  readonly limits?: ReadLimits
}

// What ClickHouse says when one of ReadLimits, or its own memory, does not suffice.
const tooMuch: ReadonlySet<string> = new Set([
  '158', // TOO_MANY_ROWS
  '159', // TIMEOUT_EXCEEDED
  '160', // TOO_SLOW
  '241', // MEMORY_LIMIT_EXCEEDED
  '307', // TOO_MANY_BYTES
  '396', // TOO_MANY_ROWS_OR_BYTES
])

/** The server ends a query by itself at its limit; only a server that no longer answers is given up on after this much more. */
const answerGraceMs = 2000

/** Reads the log in ClickHouse, bounded. Throws QueryError. */
export class LogReader {
  readonly queries = new Calls()
  readonly #clickhouse: ClickHouseClient
  readonly #limits: ReadLimits

  constructor(clickhouse: ClickHouseClient, limits: ReadLimits) {
    this.#clickhouse = clickhouse
    this.#limits = limits
  }

  async select<Row>(question: Question): Promise<Row[]> {
    const rows: Row[] = []
    for await (const { row } of this.stream<Row>(question)) rows.push(row)
    return rows
  }

  /** Rows as they come, each with the length of its text. A caller may stop in the middle. */
  async *stream<Row>(question: Question): AsyncGenerator<{ readonly row: Row; readonly textLength: number }> {
    const startedMs = performance.now()
    let isAnswered = true
    try {
      const result = await this.#clickhouse.query({ ...this.#request(question), format: 'JSONEachRow' })
      for await (const rows of result.stream<Row>()) {
        for (const each of rows) yield { row: each.json<Row>(), textLength: each.text.length }
      }
    } catch (error) {
      isAnswered = false
      throw this.#refused(error, question)
    } finally {
      this.queries.ended(startedMs, isAnswered)
    }
  }

  #request({ sql, params, limits = this.#limits }: Question) {
    return {
      query: sql,
      query_params: { ...params },
      abort_signal: AbortSignal.timeout(limits.executionTimeoutMs + answerGraceMs),
      clickhouse_settings: {
        max_execution_time: limits.executionTimeoutMs / 1000,
        timeout_overflow_mode: 'throw',
        max_rows_to_read: String(limits.rowsToReadMax),
        read_overflow_mode: 'throw',
        max_bytes_before_external_group_by: String(limits.groupBytesMax),
        optimize_aggregation_in_order: 1,
        output_format_json_quote_64bit_integers: 0,
        output_format_json_validate_utf8: 1,
      },
    } as const
  }

  #refused(error: unknown, { narrow, limits = this.#limits }: Question): QueryError {
    if (error instanceof QueryError) return error
    const { code, message } = error as { code?: string; message?: string }
    if (code !== undefined && tooMuch.has(code)) {
      const bounds = `${limits.executionTimeoutMs} ms or ${limits.rowsToReadMax} rows of the log`
      return new QueryError('LIMIT_EXCEEDED', `this needs more than ${bounds}. ${narrow}`, [], error)
    }
    return new QueryError('LOG_UNAVAILABLE', `ClickHouse does not answer: ${message ?? String(error)}`, [], error)
  }
}
