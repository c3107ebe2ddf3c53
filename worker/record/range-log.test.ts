import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Logger } from '../../runtime/log.ts'
import { sharedStack } from '../../test/stack.ts'
import { InsertQueue } from './insert-queue.ts'
import { createInsert, type Insert } from './log-insert.ts'
import { RangeLog } from './range-log.ts'
import { createSampleLog, type SampleLog } from './sample-log.ts'

const silent = { info: () => {}, warn: () => {} } as unknown as Logger

let log: SampleLog
beforeAll(async () => {
  log = await createSampleLog((await sharedStack()).clickhouseUrl)
})
afterAll(() => log?.close())

test('offsets without an attempt are a row for each lane and kind, and their owners hear of all', async () => {
  let failures = 0
  const insert = createInsert(log.clickhouse, 5000)
  const losing: Insert = async (...given) => {
    await insert(...given)
    if (failures++ === 0) throw new Error('socket hang up')
  }
  const options = { bytesMax: 1 << 20, insertsMax: 2, spoolAfterMs: 0, now: () => 0 }
  const ranges = new RangeLog<string>(new InsertQueue(losing, undefined, options, silent, () => {}), 'instance')
  const heard: string[] = []
  const add = (partition: number, kind: 'TOMBSTONE' | 'COMPACTED' | 'RETENTION', first: number, last: number): void => {
    const owner = owners[partition]!
    const id = { uid: 'u1', cluster: 'default', topic: 't', partition }
    ranges.add(id, `lane${partition}`, 1_795_560_093_394, kind, { first, last }, owner, first)
  }
  const owners = [0, 1].map((partition) => ({ acknowledged: (slot: number) => heard.push(`${partition}/${slot}`) }))
  add(0, 'TOMBSTONE', 5, 5)
  add(0, 'TOMBSTONE', 6, 6)
  add(0, 'COMPACTED', 7, 9)
  add(0, 'TOMBSTONE', 10, 10)
  add(1, 'RETENTION', 0, 2 ** 52)
  ranges.flush()
  await vi.waitFor(() => expect(ranges.busy).toBe(false), 10_000)
  expect(failures).toBe(2)
  expect(heard.sort()).toEqual(['0/10', '0/5', '0/6', '0/7', '1/0'])
  const query = 'SELECT partition, kind, reason, runs, epoch, worker FROM ranges ORDER BY partition, kind'
  const common = { reason: '', epoch: 1_795_560_093_394, worker: 'instance' }
  expect(await log.rows(query)).toEqual([
    {
      partition: 0,
      kind: 'TOMBSTONE',
      runs: [
        [5, 6],
        [10, 10],
      ],
      ...common,
    },
    { partition: 0, kind: 'COMPACTED', runs: [[7, 9]], ...common },
    { partition: 1, kind: 'RETENTION', runs: [[0, 2 ** 52]], ...common },
  ])
})
