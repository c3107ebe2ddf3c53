import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { sharedStack } from '../../test/stack.ts'
import type { Attempt } from './attempt.ts'
import { encodeAttempt, encodeLane, rowBytesMax } from './encode-attempt.ts'
import { createInsert } from './log-insert.ts'
import { attemptInserts } from './log-table.ts'
import type { FastBuffer } from './row-binary.ts'
import { createSampleLog, type SampleLog, sampleAttempt, sampleLane } from './sample-log.ts'

let log: SampleLog
beforeAll(async () => {
  log = await createSampleLog((await sharedStack()).clickhouseUrl)
})
afterAll(() => log?.close())

const encode = (row: Attempt, columns = sampleLane): Buffer => {
  const lane = encodeLane(columns)
  const out = Buffer.alloc(rowBytesMax(lane, row)) as FastBuffer
  return out.subarray(0, encodeAttempt(out, 0, lane, row))
}

const insert = (rows: readonly Buffer[], token: string): Promise<void> =>
  createInsert(log.clickhouse, 5000)(attemptInserts, Buffer.concat(rows), token)

describe('a row of attempt_inserts', () => {
  test('says in ClickHouse what the attempt was', async () => {
    await insert([encode(sampleAttempt())], 'one')
    const [row] = await log.rows<Record<string, unknown>>('SELECT * FROM attempts WHERE offset = 41')
    expect(row).toMatchObject({
      ...{ uid: 'u1', namespace: 'demo', use_case: 'orders', revision: 3, cluster: 'default', topic: 'orders', partition: 7 },
      ...{ replay: '', offset: 41, round: 0, epoch: 1795560093394, attempt: 1, purpose: 'DELIVER', trigger: 'INITIAL' },
      ...{ retry_batch: '', request_id: 9, item: 0, outcome: 'DELIVERED', reason: 'NONE', status: 200, latency_us: 1500 },
      ...{ attempt_time: '2058-08-03 00:28:20.123', expire_time: '2058-08-03 01:28:20', record_time: '2058-08-03 00:28:19.000' },
      ...{ key: 'k', key_hash: 17, method: 'POST', url: 'http://127.0.0.1/orders' },
      ...{ request_headers: { 'ferry-record': 'orders/7/41' }, request_bytes: 8, request_body: '{"id":1}' },
      ...{
        response_headers: { 'Content-Type': 'application/json' },
        response_bytes: 11,
        response_body: '{"ok":true}',
        error: '',
      },
      worker: 'instance',
    })
  })

  test('keeps its own bytes for a later retry when it failed, and reaches outcomes', async () => {
    const row = sampleAttempt({ offset: 50, outcome: 2, reason: 2, status: 404, packed: Buffer.from([0, 1, 2, 255]) })
    await insert([encode(row)], 'failed')
    expect(await log.rows('SELECT outcome, reason, text FROM outcomes WHERE offset = 50')).toEqual([
      { outcome: 'FAILED', reason: 'NON_RETRYABLE_STATUS', text: '{"ok":true}' },
    ])
    expect(await log.rows('SELECT hex(packed_record) AS packed FROM payloads WHERE offset = 50')).toEqual([
      { packed: '000102FF' },
    ])
  })

  test('may have any reason of the contract, in every table', async () => {
    const names = Object.entries(Reason).filter(([, number]) => typeof number === 'number' && number > 0)
    const rows = names.map(([, number]) => sampleAttempt({ offset: 100 + Number(number), outcome: 2, reason: Number(number) }))
    await insert(
      rows.map((row) => encode(row)),
      'reasons',
    )
    const reasonOf = names.map(([reason, number]) => ({ offset: 100 + Number(number), reason }))
    for (const table of ['attempts', 'outcomes'])
      expect(await log.rows(`SELECT offset, reason FROM ${table} WHERE offset > 100 AND offset < 1000 ORDER BY offset`)).toEqual(
        reasonOf,
      )
  })

  test('shows no cookie, and no body that is not to be kept', async () => {
    const set = [Buffer.from('Set-Cookie'), Buffer.from('session=secret')]
    await insert([encode(sampleAttempt({ offset: 60, responseHeaders: set }), { ...sampleLane, logBody: 'FAILURES' })], 'cookie')
    const [row] = await log.rows<Record<string, unknown>>('SELECT * FROM attempts WHERE offset = 60')
    expect(row).toMatchObject({ response_headers: { 'Set-Cookie': '***' }, request_bytes: 8, request_body: '' })
  })

  test('is never longer than was said, and a batch of any rows is read back as they were', async () => {
    const bytes = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each))
    const text = fc.string({ unit: 'binary', maxLength: 120 })
    const rows = fc.array(
      fc.record({
        offset: fc.integer({ min: 1000, max: Number.MAX_SAFE_INTEGER }),
        round: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        requestId: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
        status: fc.integer({ min: 0, max: 999 }),
        keyHash: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
        key: bytes,
        requestBody: bytes,
        responseBody: bytes,
        requestHeaders: fc.array(text, { minLength: 2, maxLength: 2 }),
        error: text,
      }),
      { minLength: 1, maxLength: 20 },
    )
    const samples = fc.sample(rows, { numRuns: 5, seed: 7 })
    for (const [index, sample] of samples.entries()) {
      await insert(
        sample.map((each) => encode(sampleAttempt(each), { ...sampleLane, uid: `any${index}` })),
        `any${index}`,
      )
      const found = await log.rows<{ all: string[] }>(`
        SELECT [toString(offset), toString(round), toString(request_id), toString(status), toString(key_hash), hex(key), hex(request_body),
          hex(response_body), hex(mapKeys(request_headers)[1]), hex(mapValues(request_headers)[1]), hex(error)] AS all
        FROM attempts WHERE uid = 'any${index}' AND purpose = 'DELIVER'`)
      const hex = (value: string | Buffer): string => Buffer.from(value).toString('hex').toUpperCase()
      const expected = sample.map(({ offset, round, requestId, status, keyHash, key, requestBody, responseBody, ...each }) => [
        ...[offset, round, requestId, status, keyHash].map(String),
        ...[key, requestBody, responseBody, each.requestHeaders[0]!, each.requestHeaders[1]!, each.error].map(hex),
      ])
      const sorted = (all: string[][]): string[] => all.map((each) => each.join(' ')).sort()
      expect(sorted(found.map((each) => each.all))).toEqual(sorted(expected))
    }
  })
})
