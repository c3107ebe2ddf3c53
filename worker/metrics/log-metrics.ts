import type { Metrics } from '../../runtime/metrics/metrics.ts'
import type { InsertQueue } from '../record/insert-queue.ts'
import type { SpoolDrain } from '../spool/spool-drain.ts'
import type { MeteredInsert } from './metered-insert.ts'

export interface LogParts {
  readonly inserts: MeteredInsert
  readonly queue: Pick<InsertQueue, 'landedRows' | 'waitingBytes' | 'strippedRows' | 'spooledInserts' | 'isSpooling'>
  readonly queueBytesMax: number
  readonly drain: Pick<SpoolDrain, 'waitingInserts' | 'drainedInserts'> | undefined
}

/** The way of attempt rows: memory, ClickHouse, the spool. */
export function registerLog(metrics: Metrics, parts: () => LogParts): void {
  const total = (name: string, help: string, read: (parts: LogParts) => number): void =>
    metrics.counter({ name, help }, () => read(parts()))
  const level = (name: string, help: string, read: (parts: LogParts) => number): void =>
    metrics.gauge({ name, help }, () => read(parts()))
  metrics.calls('ferry_log_insert', 'Inserts into ClickHouse, what is tried again counted again', {}, () => [
    [{}, parts().inserts.calls],
  ])
  total('ferry_log_insert_bytes_total', 'Bytes of rows that ClickHouse has taken', ({ inserts }) => inserts.bytes)
  total('ferry_log_rows_total', 'Rows that have become durable, in ClickHouse or in the spool', ({ queue }) => queue.landedRows)
  total(
    'ferry_stripped_rows_total',
    'Attempt rows that were taken only without their headers and bodies',
    ({ queue }) => queue.strippedRows,
  )
  level('ferry_log_waiting_bytes', 'Bytes of frozen rows that are not durable yet', ({ queue }) => queue.waitingBytes)
  level(
    'ferry_log_waiting_bytes_max',
    'From so many bytes on nothing more is sent until ClickHouse or the spool takes some',
    ({ queueBytesMax }) => queueBytesMax,
  )
  level('ferry_log_spooling', '1 while attempt rows go into the spool, because ClickHouse is away', ({ queue }) =>
    queue.isSpooling ? 1 : 0,
  )
  total('ferry_spooled_inserts_total', 'Inserts that went into the spool', ({ queue }) => queue.spooledInserts)
  total(
    'ferry_spool_drained_inserts_total',
    'Inserts that this worker has brought from the spool into ClickHouse',
    ({ drain }) => drain?.drainedInserts ?? 0,
  )
  level(
    'ferry_spool_waiting_inserts',
    'Inserts of all workers in the spool, at the last look: the same on every worker',
    ({ drain }) => drain?.waitingInserts ?? 0,
  )
}
