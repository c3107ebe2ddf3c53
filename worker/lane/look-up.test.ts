import { afterAll, beforeAll, expect, test } from 'vitest'
import { Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { sharedStack } from '../../test/stack.ts'
import { encodeAttempt, encodeLane, rowBytesMax } from '../record/encode-attempt.ts'
import { createInsert } from '../record/log-insert.ts'
import { attemptInserts } from '../record/log-table.ts'
import type { FastBuffer } from '../record/row-binary.ts'
import { createSampleLog, type SampleLog, sampleAttempt, sampleLane } from '../record/sample-log.ts'
import { lookUp } from './look-up.ts'

let log: SampleLog
beforeAll(async () => {
  log = await createSampleLog((await sharedStack()).clickhouseUrl)
})
afterAll(() => log?.close())

const id = { uid: 'u1', cluster: 'default', topic: 'orders', partition: 7 }
const atMs = sampleAttempt().sentMs

type Row = [offset: number, epoch: number, outcome: number, round?: number, attempt?: number, sentMs?: number]

async function write(token: string, rows: readonly Row[]): Promise<void> {
  const encoded = rows.map(([offset, epoch, outcome, round = 0, attempt = 1, sentMs = atMs]) => {
    const row = sampleAttempt({ offset, outcome, round, attempt, sentMs })
    const lane = encodeLane({ ...sampleLane, epoch })
    const out = Buffer.alloc(rowBytesMax(lane, row)) as FastBuffer
    return out.subarray(0, encodeAttempt(out, 0, lane, row))
  })
  await createInsert(log.clickhouse, 5000)(attemptInserts, Buffer.concat(encoded), token)
}

test('the log says what has ended from the cursor up and of what is parked, since when, and by which epochs', async () => {
  const { DELIVERED, FAILED, RETRY } = Outcome
  await write('all', [
    [3, 1, FAILED],
    [3, 1, FAILED, 1],
    [4, 1, DELIVERED],
    [10, 1, DELIVERED],
    [11, 1, DELIVERED],
    [11, 3, RETRY, 0, 2],
    [12, 1, RETRY, 0, 1],
    [12, 1, RETRY, 0, 5],
    [13, 2, DELIVERED],
    [14, 1, DELIVERED, 0, 1, atMs - 3_600_000],
    [5, 1, RETRY, 0, 9],
    [5, 1, RETRY, 1, 2],
  ])
  const range = { id, fromOffset: 10, parked: [3, 5], sinceMs: atMs - 300_000, fromEpoch: 0 }
  const found = await lookUp(log.clickhouse, range, 5000)
  expect(Object.fromEntries(found.ended)).toEqual({
    3: { round: 1, epoch: 1, sentEpoch: 1 },
    10: { round: 0, epoch: 1, sentEpoch: 1 },
    11: { round: 0, epoch: 1, sentEpoch: 3 },
    13: { round: 0, epoch: 2, sentEpoch: 2 },
  })
  expect(Object.fromEntries(found.attempts)).toMatchObject({ 5: { round: 1, attempt: 2 }, 12: { round: 0, attempt: 5 } })
  const later = await lookUp(log.clickhouse, { ...range, fromEpoch: 2, parked: [] }, 5000)
  expect([...later.ended.keys()]).toEqual([13])
  const elsewhere = await lookUp(log.clickhouse, { ...range, id: { ...id, partition: 8 } }, 5000)
  expect(elsewhere.ended.size + elsewhere.attempts.size).toBe(0)
})

test('an outcome whose attempt is not in the log does not count, unless the attempt has expired', async () => {
  const ofAttempt = (offset: number): Row => [offset, 1, Outcome.DELIVERED]
  await write('half', [20, 21, 22, 23].map(ofAttempt))
  // As an insert that was cut off and not repeated leaves them.
  await log.clickhouse.command({ query: 'DELETE FROM attempts WHERE offset IN (21, 22)' })
  await log.clickhouse.command({ query: 'DELETE FROM outcomes WHERE offset = 23' })
  const expired = `ALTER TABLE outcomes UPDATE expire_time = now() - 1 WHERE offset = 22`
  await log.clickhouse.command({ query: expired, clickhouse_settings: { mutations_sync: '1' } })
  const range = { id, fromOffset: 20, parked: [], sinceMs: 0, fromEpoch: 0 }
  expect([...(await lookUp(log.clickhouse, range, 5000)).ended.keys()].sort()).toEqual([20, 22])
  const ofParked = { ...range, fromOffset: 1000, parked: [20, 21, 22, 23] }
  expect([...(await lookUp(log.clickhouse, ofParked, 5000)).ended.keys()].sort()).toEqual([20, 22])
})

test('many parked offsets are asked for in several questions', async () => {
  const parked = Array.from({ length: 25_000 }, (_, at) => at + 100_000)
  await write('many', [
    [100_000, 1, Outcome.DELIVERED],
    [124_999, 1, Outcome.DELIVERED],
  ])
  const range = { id, fromOffset: 1_000_000, parked, sinceMs: 0, fromEpoch: 0 }
  const found = await lookUp(log.clickhouse, range, 10_000)
  expect([...found.ended.keys()].sort()).toEqual([100_000, 124_999])
})

test('a log that does not answer in time is an error', async () => {
  const range = { id, fromOffset: 0, parked: [], sinceMs: 0, fromEpoch: 0 }
  await expect(lookUp(log.clickhouse, range, 0)).rejects.toThrow()
})
