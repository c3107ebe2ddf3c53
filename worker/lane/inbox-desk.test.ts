import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { type InboxItem, type LaneId, laneKeys, writeInboxItem } from '../../runtime/lane-keys.ts'
import type { Logger } from '../../runtime/log.ts'
import { connectRedis, type Redis } from '../../runtime/redis.ts'
import { sharedStack } from '../../test/stack.ts'
import { encodeAttempt, encodeLane, rowBytesMax } from '../record/encode-attempt.ts'
import { createInsert } from '../record/log-insert.ts'
import { attemptInserts } from '../record/log-table.ts'
import type { FastBuffer } from '../record/row-binary.ts'
import { createSampleLog, type SampleLog, sampleAttempt, sampleLane } from '../record/sample-log.ts'
import { noSpool, type SpoolView } from '../spool/spool-view.ts'
import { takeInbox } from './inbox-desk.ts'
import { KnownEnds } from './known-ends.ts'
import { Lane } from './lane.ts'
import { LaneState } from './lane-state.ts'
import { newParked, type Parked } from './parked.ts'
import { Parking } from './parking.ts'
import { sampleRoute } from './sample-route.ts'

let redis: Redis
let log: SampleLog
let id: LaneId
let lane: Lane
let state: LaneState

beforeAll(async () => {
  const { redisUrl, clickhouseUrl } = await sharedStack()
  redis = connectRedis(redisUrl, 3000, { warn: () => {} } as unknown as Logger)
  await redis.ping()
  log = await createSampleLog(clickhouseUrl)
})
afterAll(async () => {
  redis?.disconnect()
  await log?.close()
})
beforeEach(async () => {
  id = { uid: crypto.randomUUID(), cluster: 'default', topic: 't', partition: 0 }
  await redis.hset(laneKeys(id).lane, {
    epoch: 0,
    owner: '',
    version: 1,
    cursor: 100,
    ended: '',
    saved: 0,
    clean: 1,
    credit: '',
    writer: 0,
  })
  state = new LaneState(redis, id, 1, 'one')
  await state.claim(5000)
  lane = newLane()
})

function newLane(parkedMax = 100): Lane {
  const start = { cursor: 100, parking: new Parking(), known: new KnownEnds([], new Map(), true), credit: 10 }
  const limits = { parkedMax, parkedBytesMax: 1000, creditMax: 10, bufferBytesMax: 1000 }
  const parts = {
    attempts: { add: () => {} },
    ranges: { add: () => {} },
    instance: 'i',
    nextRequestId: () => 1,
    windowRecords: 16,
  }
  return new Lane(id, 1, sampleRoute('KEY'), limits, start, parts)
}

type Row = [offset: number, outcome: number, round: number]

async function write(rows: readonly Row[]): Promise<void> {
  const encoded = encodeLane({ ...sampleLane, ...id })
  const bytes = rows.map(([offset, outcome, round]) => {
    const row = sampleAttempt({ offset, outcome, round, keyHash: 1000 + offset })
    const out = Buffer.alloc(rowBytesMax(encoded, row)) as FastBuffer
    return out.subarray(0, encodeAttempt(out, 0, encoded, row))
  })
  await createInsert(log.clickhouse, 5000)(attemptInserts, Buffer.concat(bytes), id.uid)
}

const bring = (items: Record<number, Partial<InboxItem>[]>): Promise<unknown> => {
  const texts = Object.entries(items).map(([offset, list]) => [
    offset,
    list.map((item) => writeInboxItem({ batch: 'b1', round: 0, stale: false, ...item })).join(','),
  ])
  return redis.hset(laneKeys(id).inbox, Object.fromEntries(texts))
}

const take = async (spool: Pick<SpoolView, 'isDrained'> = noSpool): Promise<string[]> =>
  (await takeInbox(lane, state, log.clickhouse, spool, 5000, 900)).sort()
const parked = (): [number, Parked][] =>
  [...lane.parking.entries()].map((entry): [number, Parked] => [entry.offset, entry]).sort(([a], [b]) => a - b)
const waiting = (offset: number, round: number): Parked =>
  newParked({
    ...{
      offset,
      round,
      state: 'P',
      keyHash: undefined,
      attempts: 0,
      unpaid: 0,
      firstMs: 0,
      lastMs: 0,
      dueMs: 0,
      settled: true,
      batch: 'b1',
    },
  })

describe('an item of a retry batch', () => {
  test('opens the round after the highest of a delivery that has ended, in its key, due at once', async () => {
    await write([
      [5, Outcome.FAILED, 0],
      [6, Outcome.FAILED, 0],
      [6, Outcome.FAILED, 3],
    ])
    await bring({ 5: [{}], 6: [{ round: 3, stale: true }] })
    expect(await take()).toEqual(['5', '6'])
    expect(parked()).toMatchObject([
      [
        5,
        { round: 1, keyHash: 1005, batch: 'b1', stale: false, dueMs: 900, attempts: 0, where: 'K', settled: true, stored: false },
      ],
      [6, { round: 4, keyHash: 1006, stale: true }],
    ])
  })

  test('of several batches opens one round for all', async () => {
    await write([[5, Outcome.FAILED, 0]])
    await bring({ 5: [{}, { batch: 'b2' }] })
    expect(await take()).toEqual(['5'])
    expect(parked()).toMatchObject([[5, { round: 1, batch: 'b2' }]])
  })

  test('is due when it says, or at once where one of several says nothing', async () => {
    await write([
      [5, Outcome.FAILED, 0],
      [6, Outcome.FAILED, 0],
      [7, Outcome.FAILED, 0],
    ])
    await bring({ 5: [{ dueMs: 2500 }], 6: [{ dueMs: 2500 }, { batch: 'b2' }], 7: [{ dueMs: 100 }] })
    await take()
    expect(parked().map(([, { dueMs }]) => dueMs)).toEqual([2500, 900, 900])
  })

  test('brings a key of its own, of the last batch that asks for one', async () => {
    await write([
      [5, Outcome.FAILED, 0],
      [6, Outcome.FAILED, 0],
    ])
    await bring({ 5: [{ newKey: true }, { batch: 'b2' }], 6: [{}] })
    await take()
    expect(parked()).toMatchObject([
      [5, { batch: 'b1', newKey: true }],
      [6, { newKey: false }],
    ])
  })

  test('is not sent when the delivery was delivered meanwhile', async () => {
    await write([
      [5, Outcome.FAILED, 0],
      [5, Outcome.DELIVERED, 1],
    ])
    await bring({ 5: [{}] })
    expect(await take()).toEqual(['5'])
    expect(parked()).toEqual([])
  })

  test('is not sent when the delivery has ended in a later round, unless another batch selected that', async () => {
    await write([
      [5, Outcome.FAILED, 0],
      [5, Outcome.FAILED, 1],
      [6, Outcome.FAILED, 0],
      [6, Outcome.FAILED, 1],
    ])
    await bring({ 5: [{}], 6: [{}, { batch: 'b2', round: 1 }] })
    expect(await take()).toEqual(['5', '6'])
    expect(parked()).toMatchObject([[6, { round: 2 }]])
  })

  test('waits while the delivery is open in its round, or is not settled, and joins a later round', async () => {
    await write([
      [5, Outcome.FAILED, 0],
      [150, Outcome.FAILED, 0],
    ])
    lane.parking.add(waiting(5, 0))
    await bring({ 5: [{}], 150: [{}] })
    expect(await take()).toEqual([])
    lane.parking.end(lane.parking.get(5)!, 0)
    lane.parking.remove(lane.parking.get(5)!)
    lane.parking.add(waiting(5, 1))
    expect(await take()).toEqual(['5'])
    expect(parked()).toHaveLength(1)
  })

  test('waits while rows are in the spool: the log does not know yet which rounds there were', async () => {
    await write([[5, Outcome.FAILED, 0]])
    await bring({ 5: [{}] })
    expect(await take({ isDrained: async () => false })).toEqual([])
    expect(parked()).toEqual([])
    expect(await take()).toEqual(['5'])
  })

  test('of a delivery that the log has lost is sent: that is what it is for', async () => {
    await bring({ 5: [{}] })
    expect(await take()).toEqual(['5'])
    expect(parked()).toMatchObject([[5, { round: 1, keyHash: undefined }]])
  })

  test('waits while as many deliveries wait as may', async () => {
    lane = newLane(1)
    await write([
      [5, Outcome.FAILED, 0],
      [6, Outcome.FAILED, 0],
    ])
    await bring({ 5: [{}], 6: [{}] })
    expect(await take()).toEqual(['5'])
    await redis.hdel(laneKeys(id).inbox, '5')
    expect(await take()).toEqual([])
  })

  test('of a cancelled batch is taken back, unless it has been sent', async () => {
    await write([[7, Outcome.FAILED, 0]])
    const sent = Object.assign(waiting(6, 1), { attempts: 1 })
    lane.parking.add(waiting(5, 1))
    lane.parking.add(sent)
    await bring({ 7: [{}], 8: [{}, { batch: 'b2' }] })
    await redis.hset(laneKeys(id).inbox, 'cancel:b1', '1')
    expect(await take()).toEqual(['7', '8', 'cancel:b1'])
    expect(parked().map(([offset, entry]) => [offset, entry.batch])).toEqual([
      [6, 'b1'],
      [8, 'b2'],
    ])
  })

  test('is left alone by one who has let the lane go', async () => {
    await write([[5, Outcome.FAILED, 0]])
    await bring({ 5: [{}] })
    const taking = take()
    lane.stopped = true
    expect(await taking).toEqual([])
    expect(parked()).toEqual([])
  })
})
