import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RetryBatchState, StalePolicy } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { laneKey, laneKeys } from '../../runtime/lane-keys.ts'
import { laneOf } from '../attempts/subject.ts'
import { openTestLog, type TestLog } from '../attempts/test-log.ts'
import { batchIdOf } from './batch.ts'
import { openTestBatches, type TestBatches } from './test-batches.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
const delivers = (): 'DELIVERED' => 'DELIVERED'
const laneHash = (of: TestBatches, partition = 0): string => laneKeys(laneOf(of.subject, partition)).lane

test('every selected delivery is handed to its lane once, and the batch ends when the log has an end of each', async () => {
  const batches = await openTestBatches(log, [0, 1])
  await batches.fail(numbers(10))
  await batches.fail([3, 4], { partition: 1, round: 2 })
  await log.insertAttempts(batches.subject, [{ offset: 20 }, { offset: 21, outcome: 'RETRY' }])
  const { name } = await batches.create()
  const runner = batches.runner()
  await runner.step()
  expect(await batches.api.get(name)).toMatchObject({
    state: RetryBatchState.RUNNING,
    selected: 12n,
    enqueued: 12n,
    delivered: 0n,
  })
  expect(await batches.inboxOffsets()).toEqual(numbers(10))
  expect(Object.values(await batches.inbox(1))[0]).toMatch(/:2:0$/)
  expect([...batches.marked].sort()).toEqual([0, 1].map((partition) => laneKey(laneOf(batches.subject, partition))))
  await batches.work((offset) => (offset === 7 ? 'FAILED' : 'DELIVERED'))
  await runner.step()
  expect(await batches.api.get(name)).toMatchObject({ state: RetryBatchState.RUNNING, delivered: 9n, failedAgain: 1n })
  await batches.work(delivers, 1)
  batches.nowMs += 5000
  await runner.step()
  expect(await batches.api.get(name)).toMatchObject({
    ...{ state: RetryBatchState.DONE, selected: 12n, enqueued: 12n, delivered: 11n, failedAgain: 1n, superseded: 0n },
    ...{ payloadExpired: 0n, endTime: timestampFromMs(batches.nowMs) },
  })
})

test('what ended after the batch was made does not join it', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1])
  const { name } = await batches.create()
  await log.insertAttempts(batches.subject, [{ offset: 2, outcome: 'FAILED', sentMs: batches.nowMs + 1 }])
  await batches.runner().step()
  expect(await batches.inboxOffsets()).toEqual([1])
  expect((await batches.api.get(name)).selected).toBe(1n)
})

test('while rows wait in the spool a batch hands over nothing and does not end: what failed may be among them', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1])
  const { name } = await batches.create()
  batches.logIsWhole = false
  const runner = batches.runner()
  await runner.step()
  expect(await batches.inboxOffsets()).toEqual([])
  // It had failed before the batch was made, and its row comes now.
  await batches.fail([0])
  batches.logIsWhole = true
  await runner.step()
  expect(await batches.inboxOffsets()).toEqual([0, 1])
  await batches.work(delivers)
  batches.logIsWhole = false
  await runner.step()
  expect((await batches.api.get(name)).state).toBe(RetryBatchState.RUNNING)
  batches.logIsWhole = true
  await runner.step()
  expect(await batches.api.get(name)).toMatchObject({ state: RetryBatchState.DONE, selected: 2n, delivered: 2n })
})

test('what was delivered meanwhile, or ended in a higher round, is not sent again and counts', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1, 2, 3, 4])
  const { name } = await batches.create()
  const later = { sentMs: batches.nowMs + 10 }
  await log.insertAttempts(batches.subject, [
    { offset: 1, round: 1, ...later },
    { offset: 2, round: 1, outcome: 'FAILED', reason: 'PAYLOAD_EXPIRED', ...later },
    { offset: 3, round: 1, outcome: 'SUPERSEDED', reason: 'NEWER_DELIVERED', ...later },
  ])
  await batches.runner().step()
  expect(await batches.inboxOffsets()).toEqual([4])
  expect(await batches.api.get(name)).toMatchObject({
    selected: 4n,
    delivered: 1n,
    failedAgain: 1n,
    superseded: 1n,
    payloadExpired: 1n,
  })
})

test('a leader that dies after every page, before it writes anything down, leaves marks that the next one goes on from', async () => {
  const batches = await openTestBatches(log)
  await batches.fail(numbers(45))
  const { name } = await batches.create()
  let killed = 0
  const store = {
    active: () => batches.store.active(),
    replace: async (): Promise<boolean> => {
      killed++
      throw new Error('killed')
    },
  }
  let taken: number[] = []
  for (let life = 0; life < 9; life++) {
    await batches.runner({ pageSize: 7, pagesPerTurn: 1 }, undefined, store).step()
    // Now and then the worker takes what is there.
    if (life % 3 === 0) taken = [...taken, ...(await batches.work(delivers))]
  }
  expect(killed).toBeGreaterThan(6)
  taken = [...taken, ...(await batches.work(delivers))]
  expect(taken.sort((a, b) => a - b)).toEqual(numbers(45))
  expect((await batches.api.list('', 1, '')).batches[0]).toMatchObject({ state: RetryBatchState.ENQUEUING, enqueued: 0n })
  await batches.runner().step()
  expect(await batches.api.get(name)).toMatchObject({ state: RetryBatchState.DONE, delivered: 45n })
})

test('a leader that is deposed in the middle hands over no further page', async () => {
  const batches = await openTestBatches(log)
  await batches.fail(numbers(45))
  await batches.create()
  let looks = 0
  await batches.runner({ pageSize: 7 }, () => (looks++ < 3 ? { term: 1 } : undefined)).step()
  expect(await batches.inboxOffsets()).toEqual(numbers(14))
})

test('two leaders at once, one of them deposed, hand over each delivery once', async () => {
  const batches = await openTestBatches(log, [0, 1])
  await batches.fail(numbers(30))
  await batches.fail(numbers(30), { partition: 1 })
  await batches.create()
  const limits = { pageSize: 4, pagesPerTurn: 3 }
  const [one, two] = [batches.runner(limits), batches.runner(limits)]
  let taken: number[] = []
  for (let round = 0; round < 8; round++) {
    await Promise.all([one.step(), two.step()])
    taken = [...taken, ...(await batches.work(delivers))]
  }
  expect(taken.sort((a, b) => a - b)).toEqual(numbers(30))
})

test('an inbox that is full is filled again when the worker has taken from it', async () => {
  const batches = await openTestBatches(log)
  await batches.fail(numbers(25))
  const { name } = await batches.create()
  const runner = batches.runner({ inboxMax: 10 })
  await runner.step()
  expect(await batches.inboxOffsets()).toEqual(numbers(10))
  expect(await batches.api.get(name)).toMatchObject({ state: RetryBatchState.ENQUEUING, enqueued: 10n })
  let taken: number[] = []
  for (let round = 0; round < 4; round++) {
    taken = [...taken, ...(await batches.work(delivers))]
    await runner.step()
  }
  expect(taken).toEqual(numbers(25))
  expect(await batches.api.get(name)).toMatchObject({ state: RetryBatchState.DONE, delivered: 25n })
})

test('of a lane without state the deliveries wait until it is there', async () => {
  const batches = await openTestBatches(log, [0])
  await batches.fail([1])
  await batches.fail([5], { partition: 1 })
  const { name } = await batches.create()
  const runner = batches.runner()
  await runner.step()
  expect(await batches.api.get(name)).toMatchObject({ state: RetryBatchState.ENQUEUING, selected: 2n, enqueued: 1n })
  await batches.openLane(1)
  await runner.step()
  expect(await batches.api.get(name)).toMatchObject({ state: RetryBatchState.RUNNING, enqueued: 2n })
})

test('a long stretch of deliveries that have ended since is passed in one turn', async () => {
  const batches = await openTestBatches(log)
  await batches.fail(numbers(43))
  await batches.create()
  await log.insertAttempts(
    batches.subject,
    numbers(40).map((offset) => ({ offset, round: 1, sentMs: batches.nowMs + 1 })),
  )
  await batches.runner({ pageSize: 5, pagesPerTurn: 1 }).step()
  expect(await batches.inboxOffsets()).toEqual([40, 41, 42])
})

test('two batches that select one delivery send it once, and both count its end', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1, 2])
  const one = await batches.create()
  const two = await batches.create({ filter: { partition: 0, fromOffset: 2n } })
  const runner = batches.runner()
  await runner.step()
  expect((await batches.inbox())['2']!.split(',').length).toBe(2)
  expect(await batches.work((offset) => (offset === 2 ? 'FAILED' : 'DELIVERED'))).toEqual([1, 2])
  await runner.step()
  expect(await batches.api.get(one.name)).toMatchObject({ state: RetryBatchState.DONE, delivered: 1n, failedAgain: 1n })
  expect(await batches.api.get(two.name)).toMatchObject({ state: RetryBatchState.DONE, delivered: 0n, failedAgain: 1n })
  expect(await batches.inbox()).toEqual({})
})

test('max_items takes the lowest offsets of each lane in turn', async () => {
  const batches = await openTestBatches(log, [0, 1])
  await batches.fail([10, 11, 12, 13])
  await batches.fail([5, 6, 7], { partition: 1 })
  const { name, selected } = await batches.create({ maxItems: 5n })
  const runner = batches.runner()
  await runner.step()
  expect(selected).toBe(5n)
  expect([await batches.inboxOffsets(0), await batches.inboxOffsets(1)]).toEqual([
    [10, 11, 12],
    [5, 6],
  ])
  await Promise.all([batches.work(delivers, 0), batches.work(delivers, 1)])
  await runner.step()
  expect(await batches.api.get(name)).toMatchObject({ state: RetryBatchState.DONE, selected: 5n, delivered: 5n })
})

test('in key order a delivery whose key has a newer delivered version is marked, unless the batch asks to send it', async () => {
  for (const [policy, keyOrder, expected] of [
    [StalePolicy.UNSPECIFIED, true, '1'],
    [StalePolicy.SKIP, true, '1'],
    [StalePolicy.SEND, true, '0'],
    [StalePolicy.UNSPECIFIED, false, '0'],
  ] as const) {
    const batches = await openTestBatches(log, [0], { keyOrder })
    await log.insertAttempts(batches.subject, [
      { offset: 1, keyHash: 77, outcome: 'FAILED' },
      { offset: 2, keyHash: 88, outcome: 'FAILED' },
      { offset: 3, keyHash: 0, outcome: 'FAILED' },
      // Newer ones: of 77 delivered; of 88 only an older one, one in another partition and one that failed; without a key.
      { offset: 9, keyHash: 77 },
      { offset: 0, keyHash: 88 },
      { offset: 9, keyHash: 88, partition: 1 },
      { offset: 10, keyHash: 88, outcome: 'SKIPPED' },
      { offset: 11, keyHash: 0 },
    ])
    const { name } = await batches.create({ stalePolicy: policy })
    const runner = batches.runner()
    await runner.step()
    const stale = Object.fromEntries(Object.entries(await batches.inbox()).map(([offset, text]) => [offset, text.at(-1)]))
    expect([policy, stale]).toEqual([policy, { 1: expected, 2: '0', 3: '0' }])
    await batches.work(delivers)
    await runner.step()
    const superseded = expected === '1' ? 1n : 0n
    expect(await batches.api.get(name)).toMatchObject({ state: RetryBatchState.DONE, superseded, delivered: 3n - superseded })
  }
})

test('a failure that reached the log late, below the mark, is handed over when nothing else moves', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([5, 9])
  const { name } = await batches.create()
  const runner = batches.runner()
  await runner.step()
  await batches.fail([3, 7])
  await batches.work(delivers)
  await runner.step()
  expect(await batches.api.get(name)).toMatchObject({ state: RetryBatchState.RUNNING, selected: 4n, delivered: 2n })
  expect(await batches.inbox()).toEqual({})
  batches.nowMs += 11_000
  await runner.step()
  expect(await batches.inboxOffsets()).toEqual([3, 7])
  await batches.work(delivers)
  await runner.step()
  expect(await batches.api.get(name)).toMatchObject({ state: RetryBatchState.DONE, delivered: 4n })
})

test('what waits in its lane for long is not handed over a second time', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1, 2, 3])
  const { name } = await batches.create()
  const runner = batches.runner()
  await runner.step()
  // 1 is parked in its new round, 2 still in the inbox; 3 ends just when the sweep has asked Redis.
  const { inbox } = laneKeys(laneOf(batches.subject, 0))
  await log.redis.hdel(inbox, '1', '3')
  await batches.park(1, { round: 1 })
  await log.insertAttempts(batches.subject, [{ offset: 3, round: 1, outcome: 'FAILED', sentMs: batches.nowMs + 1 }])
  for (let round = 0; round < 5; round++) {
    batches.nowMs += 100_000
    await runner.step()
  }
  expect(await batches.inboxOffsets()).toEqual([2])
  expect(await batches.api.get(name)).toMatchObject({ state: RetryBatchState.RUNNING, failedAgain: 1n })
})

test('when a lane has lost everything, what has not ended is handed over again', async () => {
  const batches = await openTestBatches(log)
  await batches.fail(numbers(6))
  const { name } = await batches.create()
  const runner = batches.runner()
  await runner.step()
  const keys = laneKeys(laneOf(batches.subject, 0))
  await log.redis.hdel(keys.inbox, '0', '1', '2')
  await log.insertAttempts(
    batches.subject,
    [0, 1, 2].map((offset) => ({ offset, round: 1, sentMs: batches.nowMs + 1 })),
  )
  await log.redis.del(keys.lane, keys.inbox, keys.parked)
  batches.nowMs += 11_000
  await runner.step()
  expect(await batches.inbox()).toEqual({})
  await batches.openLane(0)
  for (let round = 0; round < 4; round++) {
    batches.nowMs += 100_000
    await runner.step()
  }
  expect(await batches.inboxOffsets()).toEqual([3, 4, 5])
  await batches.work(delivers)
  await runner.step()
  expect(await batches.api.get(name)).toMatchObject({ state: RetryBatchState.DONE, delivered: 6n })
})

test('with max_items no more is sent than was asked, although more turns out to have failed', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([5, 9])
  const { name } = await batches.create({ maxItems: 1n })
  const runner = batches.runner()
  await runner.step()
  await batches.fail([3])
  expect(await batches.work(delivers)).toEqual([5])
  for (let round = 0; round < 4; round++) {
    await runner.step()
    batches.nowMs += 100_000
  }
  expect(await batches.inbox()).toEqual({})
  expect(await batches.api.get(name)).toMatchObject({ state: RetryBatchState.DONE })
})

test('a batch begins when rows of what failed just before it are in the log', async () => {
  const batches = await openTestBatches(log)
  const { name, selected } = await batches.create()
  expect(selected).toBe(0n)
  const runner = batches.runner({ settleMs: 2000 })
  batches.nowMs += 1999
  await runner.step()
  expect((await batches.api.get(name)).state).toBe(RetryBatchState.ENQUEUING)
  await batches.fail([4])
  batches.nowMs += 1
  await runner.step()
  await runner.step()
  expect(await batches.work(delivers)).toEqual([4])
  await runner.step()
  expect(await batches.api.get(name)).toMatchObject({ state: RetryBatchState.DONE, selected: 1n, delivered: 1n })
})

test('the marks of an ended batch go after a while, and the batch is no longer looked at', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1])
  const { name } = await batches.create()
  const runner = batches.runner()
  await runner.step()
  await batches.work(delivers)
  await runner.step()
  const field = `mark:${batchIdOf((await batches.store.active())[0]!)}`
  expect(await log.redis.hexists(laneHash(batches), field)).toBe(1)
  batches.nowMs += 3_700_000
  await runner.step()
  expect(await log.redis.hexists(laneHash(batches), field)).toBe(0)
  expect(await batches.store.active()).toEqual([])
  expect(await batches.api.get(name)).toMatchObject({ state: RetryBatchState.DONE, delivered: 1n })
})

test('a batch whose use case is gone is cancelled', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1])
  const { name } = await batches.create()
  batches.exists = false
  await batches.runner().step()
  expect(await batches.api.get(name)).toMatchObject({ state: RetryBatchState.CANCELLED })
  expect(await batches.store.active()).toEqual([])
})

test('a batch that cannot be counted does not keep the others from their turn', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1])
  const broken = await batches.create()
  batches.nowMs += 1
  const fine = await batches.create()
  const id = broken.name.split('/').at(-1)!
  const text = (await log.redis.hget(batches.keys.orders, id))!
  await log.redis.hset(batches.keys.orders, id, text.replace('"partitions":[0]', '"partitions":["x"]'))
  await batches.runner().step()
  expect(await batches.api.get(fine.name)).toMatchObject({ state: RetryBatchState.RUNNING, enqueued: 1n })
})

test('a replica that does not lead changes nothing', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1])
  await batches.create()
  await batches.runner({}, () => undefined).step()
  expect(await batches.inbox()).toEqual({})
})
