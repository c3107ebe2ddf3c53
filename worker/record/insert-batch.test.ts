import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sharedStack } from '../../test/stack.ts'
import { encodeAttempt, encodeLane, rowBytesMax } from './encode-attempt.ts'
import { type InsertEvents, insertBatch } from './insert-batch.ts'
import { createInsert, type Insert, RefusedRowsError } from './log-insert.ts'
import { attemptInserts } from './log-table.ts'
import type { FastBuffer } from './row-binary.ts'
import { createSampleLog, type SampleLog, sampleAttempt, sampleLane } from './sample-log.ts'

const quiet: InsertEvents = { failed: () => {}, taken: () => {}, stripped: () => {} }

/** Rows with these bodies, as a frozen batch of one use case. */
function freeze(uid: string, bodies: readonly string[]) {
  const lane = encodeLane({ ...sampleLane, uid })
  const attempts = bodies.map((body, offset) => sampleAttempt({ offset, requestBody: Buffer.from(body) }))
  const out = Buffer.alloc(attempts.reduce((sum, row) => sum + rowBytesMax(lane, row), 0)) as FastBuffer
  const ends: number[] = []
  let at = 0
  for (const row of attempts) {
    at = encodeAttempt(out, at, lane, row)
    ends.push(at)
  }
  return { table: attemptInserts, bytes: out.subarray(0, at), ends, rows: bodies.length, token: `${uid}-a0` }
}

describe('against a real ClickHouse', () => {
  let log: SampleLog
  let insert: Insert
  beforeAll(async () => {
    log = await createSampleLog((await sharedStack()).clickhouseUrl)
    insert = createInsert(log.clickhouse, 5000)
    await log.clickhouse.command({
      query: "ALTER TABLE attempts ADD CONSTRAINT no_poison CHECK position(request_body, 'poison') = 0",
    })
  })
  afterAll(() => log?.close())

  const countOf = (uid: string): Promise<unknown[]> =>
    log.rows(`SELECT count() AS all, uniqExact(offset) AS offsets, countIf(error != '') AS marked FROM outcomes
      LEFT JOIN (SELECT offset, error FROM attempts WHERE uid = '${uid}') AS a USING offset WHERE uid = '${uid}'`)

  test('rows that are refused are found, and are in the log without their bodies; the others are as they were', async () => {
    const bodies = Array.from({ length: 16 }, (_, at) => (at === 6 || at === 7 || at === 15 ? `poison ${at}` : `body ${at}`))
    const stripped: number[] = []
    await insertBatch(insert, freeze('u1', bodies), { ...quiet, stripped: (error) => stripped.push(error.code) })
    expect(stripped).toEqual([469, 469, 469])
    const rows = await log.rows<{ offset: number; body: string; error: string }>(
      "SELECT DISTINCT offset, request_body AS body, error FROM attempts WHERE uid = 'u1' ORDER BY offset",
    )
    const mark = 'ClickHouse refuses this row with its headers and bodies (code 469)'
    expect(rows).toEqual(
      bodies.map((body, offset) => (body.startsWith('poison') ? { offset, body: '', error: mark } : { offset, body, error: '' })),
    )
    expect(await log.rows("SELECT uniqExact(offset) AS ends FROM outcomes WHERE uid = 'u1'")).toEqual([{ ends: 16 }])
  })

  test('an insert whose answer was lost changes nothing when it is repeated', async () => {
    let lost = 0
    const losing: Insert = async (...given) => {
      await insert(...given)
      if (lost++ === 0) throw new Error('socket hang up')
    }
    await insertBatch(losing, freeze('u2', ['a', 'b', 'c']), quiet)
    expect(lost).toBe(2)
    expect(await countOf('u2')).toEqual([{ all: 3, offsets: 3, marked: 0 }])
  })

  test('a table that is not there is no fault of the rows', async () => {
    const away = createInsert(log.clickhouse, 5000)({ ...attemptInserts, name: 'nowhere' }, freeze('u3', ['a']).bytes, 'u3')
    await expect(away).rejects.not.toBeInstanceOf(RefusedRowsError)
  })
})

describe('what is told of an insert', () => {
  test('a token stands for the same bytes for ever, whatever is refused when', async () => {
    const seen = new Map<string, string>()
    const taken: string[] = []
    let calls = 0
    const moody: Insert = async (_table, rows, token) => {
      const text = rows.toString('latin1')
      expect(seen.get(token) ?? text).toBe(text)
      seen.set(token, text)
      calls++
      if (calls % 7 === 3) throw new Error('connection reset')
      if (/poison[^\0]/.test(text) || calls % 11 === 5) throw new RefusedRowsError('ClickHouse', 469, 'no')
      taken.push(text)
    }
    const frozen = freeze('u4', ['a', 'poison b', 'c', 'd', 'poison e', 'f'])
    await insertBatch(moody, frozen, quiet)
    const all = taken.join('')
    for (const body of ['a', 'c', 'd', 'f']) expect(all).toContain(`\x01\0\0\0\x01${body}`)
    expect(all.split('ClickHouse refuses this row')).toHaveLength(3)
  })

  test('rows are not stripped while ClickHouse refuses everything', async () => {
    let calls = 0
    const strippedTokens: string[] = []
    let stripped = 0
    const broken: Insert = async (_table, _rows, token) => {
      if (token.endsWith('s36')) strippedTokens.push(token)
      if (++calls < 9) throw new RefusedRowsError('ClickHouse', 36, 'the table has another shape')
    }
    await insertBatch(broken, freeze('u5', ['a', 'b']), { ...quiet, stripped: () => stripped++ })
    expect(strippedTokens.length).toBeGreaterThan(1)
    expect(stripped).toBe(0)
  })
})
