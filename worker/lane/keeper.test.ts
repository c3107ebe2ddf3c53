import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { LaneCondition, LaneState as State } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { type LaneId, laneKeys } from '../../runtime/lane-keys.ts'
import type { Logger } from '../../runtime/log.ts'
import { connectRedis, type Redis } from '../../runtime/redis.ts'
import { sharedStack } from '../../test/stack.ts'
import { Partition } from '../source/partition.ts'
import { noSpool } from '../spool/spool-view.ts'
import { Keeper, type KeeperParts } from './keeper.ts'
import { Load } from './load.ts'
import { sampleRoute } from './sample-route.ts'

const silent = { info: () => {}, warn: () => {}, error: () => {} } as unknown as Logger
const limits = { parkedMax: 100, parkedBytesMax: 1000, creditMax: 10, bufferBytesMax: 1 << 20 }

let redis: Redis
let id: LaneId
let told: string[]
let opened: Partition[]
let query: () => Promise<unknown>
let groupOffset: string

beforeAll(async () => {
  redis = connectRedis((await sharedStack()).redisUrl, 3000, silent)
  await redis.ping()
})
afterAll(() => redis?.disconnect())
beforeEach(() => {
  id = { uid: crypto.randomUUID(), cluster: 'default', topic: 't', partition: 0 }
  told = []
  opened = []
  query = () => Promise.reject(new Error('the log is away'))
  groupOffset = '-1'
})

const register = (cursor = 7): Promise<unknown> =>
  redis.hset(laneKeys(id).lane, { epoch: 0, owner: '', version: 1, cursor, ended: '', saved: 0, clean: 1, credit: '', writer: 0 })

const source = {
  open: (topic: string, partition: number, position: number, options: never, sink: never) => {
    const made = new Partition(topic, partition, position, options, sink)
    opened.push(made)
    return made
  },
  pause: (partition: Partition) => {
    partition.paused = true
  },
  resume: (partition: Partition) => {
    partition.paused = false
  },
  close: (partition: Partition) => {
    partition.closed = true
  },
}

const coordinator = {
  offsetFetch: async () => ({ responses: [{ partitions: [{ partition: 0, offset: groupOffset, metadata: '1;9;' }] }] }),
}

function newKeeper(epoch = 100, over: Partial<KeeperParts> = {}): Keeper {
  return new Keeper(id, epoch, {
    ...{ redis, source: source as never, log: silent, instance: `instance-${epoch}`, nextRequestId: () => 1, windowRecords: 64 },
    attempts: { add: (_lane, _row, owner, slot, entry) => owner.acknowledged(slot, entry) },
    ranges: { add: (_id, _lane, _epoch, _kind, _run, owner, slot) => owner.acknowledged(slot, undefined) },
    clickhouse: { query: () => query() } as never,
    cluster: { findGroupCoordinator: async () => coordinator } as never,
    ...{ spool: noSpool, onUnlogged: () => told.push('unlogged') },
    ...{ lookUpTimeoutMs: 1000, lookUpPatienceMs: 0, intakeRecordsMax: 10, partitionBytesMax: 1 << 20, unstoredBytesMax: 1000 },
    ready: () => told.push('ready'),
    letGo: (keeper) => told.push(`let go ${keeper.state === State.RELEASED ? 'RELEASED' : 'LOST'}`),
    ...over,
  })
}

async function running(epoch = 100, version = 1): Promise<Keeper> {
  const keeper = newKeeper(epoch)
  await keeper.start(sampleRoute('UNORDERED'), limits, version)
  expect(keeper.state).toBe(State.RUNNING)
  return keeper
}

const stored = (...fields: string[]): Promise<(string | null)[]> => redis.hmget(laneKeys(id).lane, ...fields)
const value = Buffer.from('"x"')
const chunkOf = (offsets: readonly number[], isTombstone = false) => ({
  hole: undefined,
  records: offsets.map((offset) => ({
    offset: String(offset),
    key: null,
    value: isTombstone ? null : value,
    timestamp: '0',
    headers: {},
  })),
  fetched: { bytes: offsets.length, held: 0 },
})

describe('a lane that is started', () => {
  test('reads from its cursor once a first checkpoint is accepted', async () => {
    await register(7)
    await running()
    expect(opened.map((each) => [each.topic, each.partition, each.position])).toEqual([['t', 0, 7]])
    expect(await stored('epoch', 'version', 'writer', 'clean')).toEqual(['100', '2', '100', '0'])
    expect(told).toEqual(['ready'])
  })

  test('is LOST when another epoch holds it, and says which', async () => {
    await register()
    await running(200)
    const keeper = newKeeper(150)
    await keeper.start(sampleRoute('UNORDERED'), limits, 1)
    expect([keeper.state, keeper.seenEpoch]).toEqual([State.LOST, 200])
    expect(told.at(-1)).toBe('let go LOST')
  })

  test('says that somebody must decide when nobody knows where it was, and goes on when somebody has', async () => {
    const keeper = newKeeper()
    const start = keeper.start(sampleRoute('UNORDERED'), limits, 0)
    await vi.waitFor(() => expect(keeper.troubles.first.condition).toBe(LaneCondition.NEEDS_DECISION))
    expect(keeper.troubles.first.message).toMatch(/commit the offset to go on from/)
    groupOffset = '9'
    await start
    expect([keeper.state, keeper.troubles.first.condition]).toEqual([State.RUNNING, LaneCondition.UNSPECIFIED])
    expect(opened[0]?.position).toBe(9)
    expect(await stored('cursor', 'version')).toEqual(['9', '1'])
  })

  test('goes on without a log that does not answer, and counts it', async () => {
    await register(7)
    const keeper = newKeeper()
    await keeper.start(sampleRoute('UNORDERED'), limits, 99)
    expect(keeper.state).toBe(State.RUNNING)
    expect(told).toEqual(['unlogged', 'ready'])
  })

  test('asks the log only when the spool is drained, or its patience is over; then it counts that', async () => {
    await register(7)
    const waited: number[] = []
    query = async () => ({ json: async () => [] })
    for (const [epoch, isDrained] of [
      [100, true],
      [101, false],
    ] as const) {
      const spool = {
        waitDrained: async (untilMs: number) => {
          waited.push(untilMs - performance.now())
          return isDrained
        },
      }
      const keeper = newKeeper(epoch, { lookUpPatienceMs: 60_000, spool })
      await keeper.start(sampleRoute('UNORDERED'), limits, 99)
    }
    expect(waited.every((ms) => ms > 50_000 && ms <= 60_000)).toBe(true)
    expect(told).toEqual(['ready', 'unlogged', 'ready'])
  })
})

describe('a lane that is told to drain', () => {
  test('before anything was sent to Redis is released at once', () => {
    const keeper = newKeeper()
    keeper.drain()
    expect([keeper.state, keeper.releasedVersion]).toEqual([State.RELEASED, 0])
    expect(told).toEqual(['let go RELEASED'])
  })

  test('while the log is asked is released at once, and does not start when the answer comes', async () => {
    await register()
    const { promise, resolve } = Promise.withResolvers<unknown>()
    query = () => promise
    const keeper = newKeeper()
    const start = keeper.start(sampleRoute('UNORDERED'), limits, 99)
    await vi.waitFor(async () => expect(await stored('epoch')).toEqual(['100']))
    keeper.drain()
    expect([keeper.state, keeper.releasedVersion]).toEqual([State.RELEASED, 0])
    resolve({ json: async () => [] })
    await start
    expect(await stored('version', 'writer')).toEqual(['1', '0'])
    expect(opened).toEqual([])
  })

  test('while its first checkpoint is written is released by a clean one', async () => {
    await register()
    const keeper = newKeeper()
    const start = keeper.start(sampleRoute('UNORDERED'), limits, 1)
    while (!keeper.checkpointer.isWriting) await new Promise((resolve) => setImmediate(resolve))
    keeper.drain()
    expect(keeper.state).toBe(State.DRAINING)
    await start
    expect(opened).toEqual([])
    await keeper.checkpoint()
    expect([keeper.state, keeper.releasedVersion]).toEqual([State.RELEASED, 3])
    expect(await stored('version', 'clean')).toEqual(['3', '1'])
    // The next owner need not ask the log.
    await running(101, 3)
  })

  test('is released when nothing is on its way any more, by a checkpoint with everything in it', async () => {
    await register(0)
    const keeper = await running()
    keeper.read([chunkOf([0, 1])], 2, 10)
    const load = new Load()
    keeper.lane!.takeFresh(load)
    keeper.drain()
    expect(opened[0]!.closed).toBe(true)
    await keeper.checkpoint()
    expect(keeper.state).toBe(State.DRAINING)
    expect(await stored('clean')).toEqual(['0'])
    const flight = {
      status: 503,
      error: undefined,
      cut: undefined,
      responseHeaders: [],
      responseBody: Buffer.alloc(0),
      responseBytes: 0,
    }
    keeper.lane!.decode(load, 0)
    keeper.lane!.landed({ load, ...flight, sentAt: 0, endedAt: 1 }, Date.now())
    await keeper.checkpoint()
    expect(keeper.state).toBe(State.RELEASED)
    expect(await stored('cursor', 'clean')).toEqual(['1', '1'])
    expect(await redis.hkeys(laneKeys(id).parked)).toEqual(['0'])
  })
})

describe('a lane that runs', () => {
  test('is LOST when Redis is again what it was, and idle lanes learn of it when they are to prove themselves', async () => {
    await register()
    const keeper = await running()
    await redis.hset(laneKeys(id).lane, 'version', 1)
    await keeper.checkpoint()
    expect(keeper.state).toBe(State.RUNNING)
    keeper.checkpointer.prove()
    await keeper.checkpoint()
    expect(keeper.state).toBe(State.LOST)
    expect([opened[0]!.closed, keeper.lane!.stopped]).toEqual([true, true])
  })

  test('proves itself by one checkpoint, and only one', async () => {
    await register()
    const keeper = await running()
    keeper.resume()
    await keeper.checkpoint()
    await keeper.checkpoint()
    expect(await stored('version')).toEqual(['3'])
  })

  test('reads no more while enough waits, and goes on when records leave, also those that need no request', async () => {
    await register(0)
    const keeper = await running()
    const [partition] = opened
    keeper.read(
      [
        chunkOf(
          Array.from({ length: 20 }, (_, at) => at),
          true,
        ),
      ],
      20,
      100,
    )
    expect(partition!.paused).toBe(true)
    expect(keeper.lane!.takeFresh(new Load())).toBe(false)
    keeper.thirst()
    expect(partition!.paused).toBe(false)
  })

  test('reads nothing without a lease', async () => {
    await register(0)
    const keeper = await running()
    keeper.suspend()
    expect(opened[0]!.paused).toBe(true)
    keeper.thirst()
    expect(opened[0]!.paused).toBe(true)
    // What was handed over while it stopped is not lost.
    keeper.read([chunkOf([0])], 1, 10)
    keeper.resume()
    expect([opened[0]!.paused, keeper.lane!.intake.records]).toEqual([false, 1])
  })

  test('tells apart a partition that cannot be read now and one that ends before its position', async () => {
    await register(50)
    const keeper = await running()
    keeper.trouble('Kafka: no broker')
    expect(keeper.troubles.first).toEqual({ condition: LaneCondition.SOURCE_ERROR, message: 'Kafka: no broker' })
    keeper.trouble(undefined)
    expect(keeper.troubles.first.condition).toBe(LaneCondition.UNSPECIFIED)
    expect(keeper.outOfRange(50, 60, 90)).toBe(60)
    expect(keeper.lane!.intake.hole).toEqual({ first: 50, last: 59, kind: 'RETENTION' })
    expect(keeper.outOfRange(50, 0, 20)).toBeUndefined()
    keeper.trouble(undefined)
    expect(keeper.troubles.first).toMatchObject({ condition: LaneCondition.SOURCE_ERROR, message: /Kafka ends at offset 20/ })
  })
})
