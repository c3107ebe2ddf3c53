import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RetryBatchState } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { laneKey, laneKeys } from '../../runtime/lane-keys.ts'
import { laneOf } from '../attempts/subject.ts'
import { openTestLog, type TestLog } from '../attempts/test-log.ts'
import { openTestBatches, type TestBatches } from './test-batches.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

const idOf = ({ name }: { readonly name: string }): string => name.split('/').at(-1)!
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
const cancel = (of: TestBatches, name: string) => of.api.cancel(name, { actor: 'somebody', reason: 'no more' })

test('a cancelled batch is out of the inboxes, and workers are told to withdraw what they have', async () => {
  const batches = await openTestBatches(log, [0, 1, 2])
  await batches.fail(numbers(2500))
  await batches.fail([7], { partition: 1 })
  const one = await batches.create()
  const two = await batches.create({ filter: { partition: 0, fromOffset: 2n, toOffset: 4n } })
  const runner = batches.runner()
  await runner.step()
  batches.nowMs += 1000
  const cancelled = await cancel(batches, one.name)
  expect(cancelled).toMatchObject({ state: RetryBatchState.CANCELLED, endTime: timestampFromMs(batches.nowMs) })
  batches.marked.clear()
  await runner.step()
  expect(await batches.inbox(0)).toEqual({ 2: `${idOf(two)}:0:0`, 3: `${idOf(two)}:0:0`, [`cancel:${idOf(one)}`]: '1' })
  expect(await batches.inbox(1)).toEqual({ [`cancel:${idOf(one)}`]: '1' })
  expect(await batches.inbox(2)).toEqual({})
  expect(batches.marked.has(laneKey(laneOf(batches.subject, 1)))).toBe(true)
})

test('a leader that was frozen hands nothing over after the cancel', async () => {
  const batches = await openTestBatches(log)
  await batches.fail(numbers(20))
  const { name } = await batches.create()
  const runner = batches.runner({ pageSize: 5, pagesPerTurn: 1 })
  await runner.step()
  const [frozen] = await batches.store.active()
  await cancel(batches, name)
  await runner.step()
  // As it would go on: with the batch as it was before.
  const { handOver } = await import('./hand-over.ts')
  const lanes = [
    {
      partition: 0,
      selected: 20,
      delivered: 0,
      failed_again: 0,
      superseded: 0,
      payload_expired: 0,
      skipped: 0,
      pending: 20,
      waiting: 15,
    },
  ]
  const sources = { log: log.reader, redis: log.redis, lead: () => ({ term: 1 }), markInbox: () => {} }
  const handed = await handOver(
    sources,
    { pageSize: 5, pagesPerTurn: 9, inboxMax: 100 },
    frozen!,
    batches.subject,
    lanes,
    new Map(),
  )
  expect(handed).toBe(0)
  expect(Object.keys(await batches.inbox())).toEqual([`cancel:${idOf({ name })}`])
})

test('what ended before the cancel and what ends after it is counted', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1, 2, 3])
  const { name } = await batches.create()
  const runner = batches.runner()
  await runner.step()
  const later = { round: 1, sentMs: batches.nowMs + 1 }
  await log.insertAttempts(batches.subject, [{ offset: 1, ...later }])
  await runner.step()
  await cancel(batches, name)
  await runner.step()
  await log.insertAttempts(batches.subject, [{ offset: 2, ...later }])
  expect(await batches.api.get(name)).toMatchObject({
    state: RetryBatchState.CANCELLED,
    selected: 3n,
    enqueued: 3n,
    delivered: 2n,
  })
})

test('a batch is cancelled once, also when it is cancelled while it is counted, and one that is done is not', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1])
  const { name } = await batches.create()
  const runner = batches.runner()
  const [cancelled] = await Promise.all([cancel(batches, name), runner.step(), runner.step()])
  await runner.step()
  expect(await cancel(batches, name)).toMatchObject({ state: RetryBatchState.CANCELLED, endTime: cancelled.endTime })
  const audit = (await log.redis.xrange(batches.control.outbox, '-', '+')).map(([, [, row]]) => JSON.parse(row!).action)
  expect(audit).toEqual(['RETRY_BATCH', 'RETRY_BATCH_CANCEL'])

  const done = await batches.create()
  await runner.step()
  await batches.work(() => 'DELIVERED')
  await runner.step()
  await expect(cancel(batches, done.name)).rejects.toMatchObject({ code: 'RETRY_BATCH_ENDED' })
})

test('what a cancelled batch has left in lanes goes after a while', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1])
  const { name } = await batches.create()
  const runner = batches.runner()
  await runner.step()
  await cancel(batches, name)
  await runner.step()
  const { lane } = laneKeys(laneOf(batches.subject, 0))
  expect(await log.redis.hget(lane, `mark:${idOf({ name })}`)).toBe('closed')
  batches.nowMs += 3_700_000
  await runner.step()
  expect(await log.redis.hexists(lane, `mark:${idOf({ name })}`)).toBe(0)
  expect(await batches.inbox()).toEqual({})
  expect(await batches.store.active()).toEqual([])
})
