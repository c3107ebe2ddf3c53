import { setTimeout as sleep } from 'node:timers/promises'
import type { AttemptFilter } from '../../proto/gen/ferry/v1/attempt_filter_pb.ts'
import type { Attempt } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { attemptConditions, type Conditions } from './attempt-conditions.ts'
import { type AttemptRow, attemptColumns, attemptOf } from './attempt-row.ts'
import type { LogReader } from './log-reader.ts'
import { QueryError } from './query-error.ts'
import type { Subject } from './subject.ts'
import { TailCount } from './tail-count.ts'

// Looks again and again at what ClickHouse has taken since the last look, by its own clock (attempts.log_time). An insert becomes
// visible a little after its time: each look stays a second behind the clock, and what is visible later still is counted as
// skipped, by counting each window once more when a minute has passed.

export interface TailLimits {
  readonly pollMs: number
  /** A look stays so far behind ClickHouse's clock. */
  readonly settleMs: number
  /** The stream ends after so long. */
  readonly durationMsMax: number
  /** What does not fit into one message is skipped. */
  readonly messageBytesMax: number
  /** A log that does not answer for so long ends the stream. */
  readonly outageMsMax: number
}

export interface TailMessage {
  readonly attempts: readonly Attempt[]
  readonly skipped: number
  /** Unix ms. */
  readonly logMs: number
}

interface LogWindow {
  readonly afterMs: number
  readonly toMs: number
}

/** Rows that come from the spool are followed for as long after their attempts. */
const lookBackDays = 7

const narrow = 'Narrow it: give filter.partition, filter.key or filter.outcomes'

const windowSql = `attempt_time > now() - INTERVAL ${lookBackDays} DAY AND expire_time > now()
  AND log_time > fromUnixTimestamp64Milli({afterMs: Int64}, 'UTC') AND log_time <= fromUnixTimestamp64Milli({toMs: Int64}, 'UTC')`

/** Attempts as they are logged, until the signal or the limits end it. Rejects when the log does not answer. */
export async function* tail(
  log: LogReader,
  subject: Subject,
  filter: AttemptFilter | undefined,
  perSecondMax: number,
  limits: TailLimits,
  signal: AbortSignal,
): AsyncGenerator<TailMessage> {
  const { pollMs, durationMsMax, outageMsMax } = limits
  const conditions = attemptConditions(subject, filter)
  const count = new TailCount()
  const startMs = performance.now()
  let logMs = await clockOf(log, limits)
  let answeredMs = startMs
  yield { attempts: [], skipped: 0, logMs }
  while (performance.now() - startMs < durationMsMax) {
    await sleep(pollMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    try {
      const window = { afterMs: logMs, toMs: await clockOf(log, limits) }
      if (window.toMs <= window.afterMs) continue
      const rowsMax = Math.max(1, Math.round((perSecondMax * (window.toMs - window.afterMs)) / 1000))
      const seen = await look(log, conditions, window, rowsMax, limits)
      const late = await lateRows(log, conditions, count, window, seen.total)
      logMs = window.toMs
      answeredMs = performance.now()
      const skipped = seen.total - seen.rows.length + late
      if (seen.rows.length > 0 || skipped > 0) yield { attempts: seen.rows.map((row) => attemptOf(subject, row)), skipped, logMs }
    } catch (error) {
      const isAway = error instanceof QueryError && error.code === 'LOG_UNAVAILABLE'
      if (!isAway || performance.now() - answeredMs > outageMsMax) throw error
    }
  }
}

async function clockOf(log: LogReader, { settleMs }: TailLimits): Promise<number> {
  const [row] = await log.select<{ ms: number }>({ sql: 'SELECT toUnixTimestamp64Milli(now64(3)) AS ms', params: {}, narrow })
  return row!.ms - settleMs
}

/** The last rows of a window in their order, and how many it has. */
async function look(log: LogReader, { sql, params }: Conditions, window: LogWindow, rowsMax: number, limits: TailLimits) {
  const newest: AttemptRow[] = []
  let bytes = 0
  let isWhole = true
  const question = {
    sql: `SELECT ${attemptColumns} FROM attempts WHERE ${sql} AND ${windowSql}
      ORDER BY log_time DESC, attempt_time DESC, partition DESC, offset DESC LIMIT {rowsMax: UInt32}`,
    params: { ...params, ...window, rowsMax: rowsMax + 1 },
    narrow,
  }
  for await (const { row, textLength } of log.stream<AttemptRow>(question)) {
    bytes += textLength
    isWhole = newest.length < rowsMax && (newest.length === 0 || bytes <= limits.messageBytesMax)
    if (!isWhole) break
    newest.push(row)
  }
  const total = isWhole ? newest.length : await countRows(log, { sql, params }, window)
  return { rows: newest.reverse(), total: Math.max(total, newest.length) }
}

async function lateRows(
  log: LogReader,
  conditions: Conditions,
  count: TailCount,
  window: LogWindow,
  total: number,
): Promise<number> {
  const again = count.add({ ...window, total })
  // Rows may also have gone: they expire.
  return again === undefined ? 0 : Math.max(0, (await countRows(log, conditions, again)) - again.total)
}

async function countRows(log: LogReader, { sql, params }: Conditions, window: LogWindow): Promise<number> {
  const [row] = await log.select<{ total: number }>({
    sql: `SELECT count() AS total FROM attempts WHERE ${sql} AND ${windowSql}`,
    params: { ...params, ...window },
    narrow,
  })
  return row!.total
}
