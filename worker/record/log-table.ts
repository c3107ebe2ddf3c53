import { attemptLayout } from './row-layout.ts'
import { stripRow } from './strip-row.ts'

/** A table that rows are inserted into. */
export interface LogTable {
  readonly name: string
  /** In the order in which its rows have them: rows that wait for long may find a table that has more by then. */
  readonly columns: string
  /** The row without what came from outside, and with a mark; undefined: its rows have nothing that may be left out. */
  readonly strip: ((row: Buffer, mark: string) => Buffer) | undefined
}

export const attemptInserts: LogTable = {
  name: 'attempt_inserts',
  columns: Object.keys(attemptLayout).join(', '),
  strip: stripRow,
}

export const rangesTable: LogTable = {
  name: 'ranges',
  columns: 'uid, cluster, topic, partition, replay, kind, reason, runs, epoch, worker, range_time',
  strip: undefined,
}
