import { afterAll, beforeAll, expect, test } from 'vitest'
import { laneKeys } from '../../runtime/lane-keys.ts'
import { laneOf } from '../attempts/subject.ts'
import { openTestLog, type TestLog } from '../attempts/test-log.ts'
import { enqueue, type HandedItem, type HandoverResult } from './enqueue.ts'
import { openTestBatches, type TestBatches } from './test-batches.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

const item = (offset: number, round = 0, stale = false): HandedItem => ({ offset, round, stale })
interface Options {
  readonly batch?: string
  readonly lap?: number
  readonly inboxMax?: number
  readonly handedMax?: number
}
const hand = (
  to: TestBatches,
  items: HandedItem[],
  { batch = 'a', lap = 0, inboxMax = 100, handedMax }: Options = {},
): Promise<HandoverResult> => enqueue(log.redis, laneOf(to.subject, 0), { batch, lap, items, inboxMax, handedMax })
const mark = (of: TestBatches, batch = 'a') => log.redis.hget(laneKeys(laneOf(of.subject, 0)).lane, `mark:${batch}`)

test('items go into the inbox, and the mark says how far', async () => {
  const lane = await openTestBatches(log)
  expect(await hand(lane, [item(3), item(9, 2, true)])).toEqual({ kind: 'HANDED', handed: 2, added: 2, inboxFull: false })
  expect(await lane.inbox()).toEqual({ 3: 'a:0:0', 9: 'a:2:1' })
  expect(await mark(lane)).toBe('0:9:2')
})

test('the same page sent twice is handed over once, also when the worker has taken it in between', async () => {
  const lane = await openTestBatches(log)
  await hand(lane, [item(3), item(9)])
  await lane.work(() => 'DELIVERED')
  expect(await hand(lane, [item(3), item(9)])).toMatchObject({ handed: 0, added: 0 })
  expect(await hand(lane, [item(9), item(12)])).toMatchObject({ handed: 1, added: 1 })
  expect(await lane.inbox()).toEqual({ 12: 'a:0:0' })
})

test('an item joins a delivery that is parked in a round above its own, and waits for one that is not', async () => {
  const lane = await openTestBatches(log)
  await Promise.all([
    lane.park(1, { round: 1 }),
    lane.park(2, { round: 0 }),
    lane.park(3, { round: 1 }),
    lane.park(4, { round: 3 }),
  ])
  expect(await hand(lane, [item(1, 0), item(2, 0), item(3, 1), item(4, 1)])).toMatchObject({ handed: 4, added: 2 })
  expect(await lane.inbox()).toEqual({ 2: 'a:0:0', 3: 'a:1:0' })
})

test('items of several batches for one offset wait together', async () => {
  const lane = await openTestBatches(log)
  await hand(lane, [item(1), item(2)])
  expect(await hand(lane, [item(2, 1, true), item(5)], { batch: 'b' })).toMatchObject({ handed: 2, added: 2 })
  expect(await lane.inbox()).toEqual({ 1: 'a:0:0', 2: 'a:0:0,b:1:1', 5: 'b:0:0' })
  expect([await mark(lane, 'a'), await mark(lane, 'b')]).toEqual(['0:2:2', '0:5:2'])
})

test('an inbox takes no more offsets than it may hold, and the mark stays below the rest', async () => {
  const lane = await openTestBatches(log)
  await hand(lane, [item(2)], { batch: 'b' })
  const page = [item(1), item(2), item(3), item(4)]
  expect(await hand(lane, page, { inboxMax: 2 })).toEqual({ kind: 'HANDED', handed: 2, added: 2, inboxFull: true })
  expect(await mark(lane)).toBe('0:2:2')
  await lane.work(() => 'DELIVERED')
  expect(await hand(lane, page, { inboxMax: 2 })).toMatchObject({ handed: 2, inboxFull: false })
  expect(await lane.inboxOffsets()).toEqual([3, 4])
})

test('a batch hands a lane no more than it may in all laps together', async () => {
  const lane = await openTestBatches(log)
  expect(await hand(lane, [item(1), item(2), item(3)], { handedMax: 2 })).toMatchObject({ handed: 2 })
  expect(await hand(lane, [item(3)], { handedMax: 2 })).toMatchObject({ handed: 0 })
  expect(await hand(lane, [item(3)], { handedMax: 2, lap: 1 })).toMatchObject({ handed: 0 })
  expect(await lane.inboxOffsets()).toEqual([1, 2])
})

test('a later lap begins anew, and nobody who is still in an earlier one changes anything', async () => {
  const lane = await openTestBatches(log)
  await hand(lane, [item(5), item(9)])
  expect(await hand(lane, [item(2)], { lap: 1 })).toMatchObject({ handed: 1, added: 1 })
  expect(await hand(lane, [item(20)], { lap: 0 })).toMatchObject({ handed: 0, added: 0 })
  expect(await lane.inboxOffsets()).toEqual([2, 5, 9])
})

test('what waits for this batch already is not added twice', async () => {
  const lane = await openTestBatches(log)
  await hand(lane, [item(5)])
  expect(await hand(lane, [item(5)], { lap: 1 })).toMatchObject({ handed: 1, added: 0 })
  expect(await lane.inbox()).toEqual({ 5: 'a:0:0' })
})

test('a batch whose id begins like another one is another one', async () => {
  const lane = await openTestBatches(log)
  await hand(lane, [item(5)], { batch: 'rb-1x' })
  expect(await hand(lane, [item(5)], { batch: 'rb-1' })).toMatchObject({ added: 1 })
  expect(await hand(lane, [item(5)], { batch: 'b-1x' })).toMatchObject({ added: 1 })
})

test('offsets of any size stay exact', async () => {
  const lane = await openTestBatches(log)
  const offset = 9_007_199_254_740_990
  await hand(lane, [item(offset)])
  expect(await lane.inboxOffsets()).toEqual([offset])
  expect(await hand(lane, [item(offset)])).toMatchObject({ handed: 0 })
  expect(await hand(lane, [item(offset + 1)])).toMatchObject({ handed: 1 })
})

test('a lane that is not there is handed nothing', async () => {
  const lane = await openTestBatches(log, [])
  expect(await hand(lane, [item(1)])).toEqual({ kind: 'NO_LANE' })
  expect(await lane.inbox()).toEqual({})
})
