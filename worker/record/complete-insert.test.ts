import { afterAll, beforeAll, expect, test } from 'vitest'
import { sharedStack } from '../../test/stack.ts'
import type { Attempt } from './attempt.ts'
import { encodeAttempt, encodeLane, rowBytesMax } from './encode-attempt.ts'
import { createInsert, type Insert } from './log-insert.ts'
import { attemptInserts } from './log-table.ts'
import type { FastBuffer } from './row-binary.ts'
import { createSampleLog, type SampleLog, sampleAttempt, sampleLane } from './sample-log.ts'

let log: SampleLog
let insert: Insert
beforeAll(async () => {
  log = await createSampleLog((await sharedStack()).clickhouseUrl)
  insert = createInsert(log.clickhouse, 2000)
})
afterAll(() => log?.close())

const failed = { outcome: 2, reason: 2, status: 404, packed: Buffer.from([0, 1, 255]) } as const
const waits = { outcome: 5, reason: 1, status: 503 } as const

/** Two lanes: what was delivered, what failed for good, what waits for a retry, and a name that has to be quoted. */
function rowsOf(uid: string): Buffer {
  const lanes = [encodeLane({ ...sampleLane, uid }), encodeLane({ ...sampleLane, uid: `${uid}'\\`, partition: 3 })]
  const rows: Partial<Attempt>[] = [{}, { offset: 42, ...failed }, { offset: 43, ...waits }, { offset: 43, attempt: 2 }]
  return Buffer.concat(
    lanes.flatMap((lane) =>
      rows.map((row) => {
        const attempt = sampleAttempt(row)
        const out = Buffer.alloc(rowBytesMax(lane, attempt)) as FastBuffer
        return out.subarray(0, encodeAttempt(out, 0, lane, attempt))
      }),
    ),
  )
}

const tables = ['attempts', 'outcomes', 'payloads'] as const

/** All that the tables have of it, row by row. */
async function contents(uid: string): Promise<unknown[][]> {
  const like = `WHERE startsWith(uid, '${uid}') ORDER BY ALL`
  return Promise.all(tables.map((table) => log.rows(`SELECT * FROM ${table} ${like}`)))
}

test('an insert that is repeated changes nothing when its rows are there', async () => {
  const rows = rowsOf('whole')
  await insert(attemptInserts, rows, 'whole')
  const before = await contents('whole')
  expect(before.map((each) => each.length)).toEqual([8, 6, 2])
  await insert(attemptInserts, rows, 'whole', true)
  expect(await contents('whole')).toEqual(before)
})

test.each(tables)(
  'rows of a token that ClickHouse has, and that %s has not, are there after a repeat, as they were',
  async (table) => {
    const uid = `lost-${table}`
    const rows = rowsOf(uid)
    await insert(attemptInserts, rows, uid)
    const before = await contents(uid)
    // As after a kill between the token and the commit: of some rows only.
    await log.clickhouse.command({
      query: `ALTER TABLE ${table} DELETE WHERE startsWith(uid, '${uid}') AND (partition = 3 OR offset = 42) SETTINGS mutations_sync = 1`,
    })
    expect(await contents(uid)).not.toEqual(before)
    await insert(attemptInserts, rows, uid)
    expect(await contents(uid), 'what the token alone does').not.toEqual(before)
    await insert(attemptInserts, rows, uid, true)
    expect(await contents(uid)).toEqual(before)
  },
)

test('rows that have expired meanwhile are not missed', async () => {
  const lane = encodeLane({ ...sampleLane, uid: 'expired' })
  const attempt = sampleAttempt({ sentMs: Date.now() - 30 * 86_400_000 })
  const out = Buffer.alloc(rowBytesMax(lane, attempt)) as FastBuffer
  const rows = out.subarray(0, encodeAttempt(out, 0, lane, attempt))
  await insert(attemptInserts, rows, 'expired')
  await log.clickhouse.command({ query: "ALTER TABLE attempts DELETE WHERE uid = 'expired' SETTINGS mutations_sync = 1" })
  await insert(attemptInserts, rows, 'expired', true)
  expect((await contents('expired')).map((each) => each.length)).toEqual([0, 1, 0])
})
