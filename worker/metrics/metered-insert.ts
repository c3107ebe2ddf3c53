import { Calls } from '../../runtime/metrics/calls.ts'
import type { Insert } from '../record/log-insert.ts'

export interface MeteredInsert {
  readonly insert: Insert
  readonly calls: Calls
  /** Bytes that were taken. */
  bytes: number
}

/** Counts every insert into ClickHouse. */
export function meterInsert(insert: Insert): MeteredInsert {
  const calls = new Calls()
  const metered: MeteredInsert = {
    calls,
    bytes: 0,
    insert: async (table, rows, token, isRepeat) => {
      await calls.time(() => insert(table, rows, token, isRepeat))
      metered.bytes += rows.length
    },
  }
  return metered
}
