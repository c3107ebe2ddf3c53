import { expect, test } from 'vitest'
import { encodeAttempt, encodeLane, rowBytesMax } from '../record/encode-attempt.ts'
import { attemptInserts, rangesTable } from '../record/log-table.ts'
import type { FastBuffer } from '../record/row-binary.ts'
import { sampleAttempt, sampleLane } from '../record/sample-log.ts'
import { fromMessage, toMessage } from './spooled-insert.ts'

const lane = encodeLane(sampleLane)
const row = sampleAttempt()
const out = Buffer.alloc(rowBytesMax(lane, row)) as FastBuffer
const one = out.subarray(0, encodeAttempt(out, 0, lane, row))

const asRead = ({ key, value, headers }: ReturnType<typeof toMessage>) => ({
  ...{ offset: '7', key: Buffer.from(key), value },
  headers: { table: Buffer.from(headers.table), columns: Buffer.from(headers.columns) },
})

test('an insert comes out of the spool as it went in, and its rows can be taken apart', () => {
  const rows = Buffer.concat([one, one])
  expect(fromMessage(asRead(toMessage(attemptInserts, rows, 'i-a7')))).toEqual({
    ...{ table: attemptInserts, bytes: rows, ends: [one.length, rows.length], rows: 2, token: 'i-a7' },
  })
})

test('rows of another release are inserted by the columns that they have, as a whole', () => {
  const { columns } = attemptInserts
  for (const table of [rangesTable, { ...attemptInserts, columns: `${columns}, more` }]) {
    const found = fromMessage(asRead(toMessage(table, Buffer.from('anything'), 't')))
    expect(found).toMatchObject({ table: { name: table.name, columns: table.columns, strip: undefined }, ends: [8], rows: 1 })
  }
})

test('what is no insert is not given up silently', () => {
  const good = asRead(toMessage(attemptInserts, one, 't'))
  const bad = [
    { ...good, key: null },
    { ...good, value: null },
    { ...good, headers: {} },
    { ...good, headers: { ...good.headers, table: Buffer.from('use_case_changes') } },
    { ...good, headers: { ...good.headers, columns: Buffer.from('uid) SELECT 1; --') } },
  ]
  for (const message of bad) expect(() => fromMessage(message)).toThrow(/message 7 of the spool is no insert/)
})
