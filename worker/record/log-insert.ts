import { ClickHouseError } from '@clickhouse/client'
import type { ClickHouseClient } from '../../runtime/clickhouse.ts'
import { completeInsert } from './complete-insert.ts'
import { attemptInserts, type LogTable } from './log-table.ts'
import { sendRows } from './send-rows.ts'

/**
 * Inserts frozen bytes; resolves when they are durable. Throws RefusedRowsError when whoever takes them is there and does not take
 * these rows. Whatever it throws, the same bytes with the same token may be tried again: isRepeat says that they may have been.
 */
export type Insert = (table: LogTable, rows: Buffer, token: string, isRepeat?: boolean) => Promise<void>

/** The answer was that these rows are not taken, and gave no reason that lies outside of them. */
export class RefusedRowsError extends Error {
  readonly by: 'ClickHouse' | 'Kafka'
  /** Whose number for the error it is says `by`. */
  readonly code: number
  constructor(by: 'ClickHouse' | 'Kafka', code: number, message: string) {
    super(message)
    this.by = by
    this.code = code
  }
}

/**
 * ClickHouse's errors that speak of the server, its tables or the connection: the same rows may be taken later. Any other is held
 * against the rows, so that an error that is not known here cannot block the log for good: rows that do go in when others are
 * left out are inserted as they are (insert-batch.ts).
 */
const awayCodes = new Set([
  ...[3, 16, 23, 48, 49, 60, 74, 75, 76, 81, 95, 96, 101, 102, 159, 160, 164, 170, 173, 191, 192, 193, 194, 198, 201, 202, 203],
  ...[209, 210, 217, 218, 219, 225, 236, 241, 242, 243, 244, 252, 254, 265, 279, 285, 286, 289, 305, 319, 335, 341, 364, 373],
  ...[394, 415, 439, 473, 479, 497, 499, 516, 519, 574, 595, 692, 722, 724, 733, 734, 999, 1002],
])

/** Every insert carries its own durability (send-rows.ts), and a token that makes it safe to repeat. */
export function createInsert(client: ClickHouseClient, timeoutMs: number): Insert {
  return async (table, rows, token, isRepeat = false) => {
    try {
      await sendRows(client, `INSERT INTO ${table.name} (${table.columns}) FORMAT RowBinary`, rows, timeoutMs, {
        insert_deduplication_token: token,
        deduplicate_blocks_in_dependent_materialized_views: 1,
      })
    } catch (error) {
      if (!(error instanceof ClickHouseError) || awayCodes.has(Number(error.code))) throw error
      throw new RefusedRowsError('ClickHouse', Number(error.code), error.message)
    }
    // Rows of another release cannot be taken apart here.
    if (isRepeat && table.name === attemptInserts.name && table.columns === attemptInserts.columns)
      await completeInsert(client, rows, token, timeoutMs)
  }
}
