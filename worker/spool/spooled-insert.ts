import type { FrozenRows } from '../record/insert-batch.ts'
import { attemptInserts, type LogTable, rangesTable } from '../record/log-table.ts'
import { findRowEnds } from '../record/row-layout.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'

// A message of the spool topic is one insert: its key is the token, its value the rows exactly as they would have gone to
// ClickHouse (RowBinary), and its headers say the table and the columns, so that it can be inserted by anybody, by hand too:
// INSERT INTO {table} ({columns}) FORMAT RowBinary, with insert_deduplication_token = the key.

const known: readonly LogTable[] = [attemptInserts, rangesTable]
const columnList = /^[a-z_]+(, [a-z_]+)*$/

export interface SpoolMessage {
  readonly key: string
  readonly value: Buffer
  readonly headers: { readonly table: string; readonly columns: string }
}

export const toMessage = ({ name: table, columns }: LogTable, rows: Buffer, token: string): SpoolMessage => ({
  ...{ key: token, value: rows, headers: { table, columns } },
})

/** Throws when it is no insert that this release can carry out. */
export function fromMessage({
  offset,
  key,
  value,
  headers,
}: Pick<KafkaRecord, 'offset' | 'key' | 'value' | 'headers'>): FrozenRows {
  const [name, columns] = [textOf(headers['table']), textOf(headers['columns'])]
  const token = key?.toString() ?? ''
  const table = known.find((each) => each.name === name)
  if (table === undefined || value === null || token === '' || !columnList.test(columns)) {
    throw new Error(
      `message ${offset} of the spool is no insert that this release of Ferry knows (table ${JSON.stringify(name)}): a newer worker takes it, or commit the offset after it to the spool's group to give it up`,
    )
  }
  // Rows of another release can be inserted, and not taken apart.
  if (table !== attemptInserts || columns !== attemptInserts.columns)
    return { ...{ table: { name, columns, strip: undefined }, bytes: value, ends: [value.length], rows: 1, token } }
  const ends = findRowEnds(value)
  return { table, bytes: value, ends, rows: ends.length, token }
}

function textOf(header: KafkaRecord['headers'][string]): string {
  const one = Array.isArray(header) ? header[0] : header
  return one === undefined ? '' : one.toString()
}
