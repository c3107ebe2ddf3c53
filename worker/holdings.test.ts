import { create } from '@bufbuild/protobuf'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { LaneCondition, LaneState as State } from '../proto/gen/ferry/v1/lane_pb.ts'
import { Concurrency, RateLimitSchema, type UseCase } from '../proto/gen/ferry/v1/use_case_pb.ts'
import {
  type EndpointGroup,
  EndpointGroupSchema,
  type LaneAssignment,
  LaneAssignmentSchema,
  type LaneReport,
} from '../proto/gen/ferry/v1/worker_service_pb.ts'
import { type LaneId, laneKeys } from '../runtime/lane-keys.ts'
import type { Logger } from '../runtime/log.ts'
import { connectRedis, type Redis } from '../runtime/redis.ts'
import { sharedStack } from '../test/stack.ts'
import type { OwnEndpoint } from './deliver/endpoint.ts'
import { HeldLanes } from './holdings.ts'
import { sampleMeans, sampleUseCase } from './lane/sample-route.ts'
import { Routes } from './routes.ts'
import { Partition } from './source/partition.ts'
import { noSpool } from './spool/spool-view.ts'

const silent = { info: () => {}, warn: () => {}, error: () => {} } as unknown as Logger

let redis: Redis
let uid: string
let held: HeldLanes
let definitions: () => UseCase[]
let hurried: number

beforeAll(async () => {
  redis = connectRedis((await sharedStack()).redisUrl, 3000, silent)
  await redis.ping()
})
afterAll(() => redis?.disconnect())
beforeEach(() => {
  uid = crypto.randomUUID()
  hurried = 0
  definitions = () => [useCase(1)]
  const source = {
    open: (topic: string, partition: number, position: number, options: never, sink: never) =>
      new Partition(topic, partition, position, options, sink),
    ...{ pause: () => {}, resume: () => {}, close: () => {} },
  }
  held = new HeldLanes(
    {
      routes: new Routes(async () => definitions(), sampleMeans, silent),
      keeper: {
        ...{ redis, log: silent, instance: uid, nextRequestId: () => 1, windowRecords: 16 },
        attempts: { add: () => {} },
        ranges: { add: () => {} },
        ...{ clickhouse: undefined as never, lookUpTimeoutMs: 100, lookUpPatienceMs: 0 },
        ...{ intakeRecordsMax: 10, partitionBytesMax: 1000, unstoredBytesMax: 1000, spool: noSpool, onUnlogged: () => {} },
      },
      clusters: {
        names: ['default'],
        of: () => ({ side: {}, source }) as never,
      },
      roster: {
        logIsOpen: () => true,
        logIsSpooling: () => false,
        maySend: () => false,
        onLanded: () => {},
        onRateLimited: () => {},
      },
      log: silent,
      hurry: () => hurried++,
    },
    { bufferBytesMax: 1 << 20 },
  )
  held.resume()
})

const useCase = (revision: number, url = 'http://127.0.0.1:9/'): UseCase =>
  Object.assign(sampleUseCase('UNORDERED', url), { uid, revision: BigInt(revision) })

function withConcurrency(revision: number, concurrency: Concurrency, url?: string): UseCase {
  const made = useCase(revision, url)
  made.spec!.delivery!.concurrency = concurrency
  return made
}

function withRate(revision: number, recordsPerSecond: number): UseCase {
  const limited = useCase(revision)
  limited.spec!.delivery!.rateLimit = create(RateLimitSchema, { recordsPerSecond })
  return limited
}

async function assign(partition: number, epoch: number, over: Partial<LaneAssignment> = {}): Promise<LaneAssignment> {
  const id: LaneId = { uid, cluster: 'default', topic: 't', partition }
  const state = { epoch: 0, owner: '', version: 1, cursor: 0, ended: '', saved: 0, clean: 1, credit: '', writer: 0 }
  if ((await redis.exists(laneKeys(id).lane)) === 0) await redis.hset(laneKeys(id).lane, state)
  const shares = { maxInFlight: 8, parkedMax: 100n, parkedBytesMax: 1000n, creditMax: 10 }
  return create(LaneAssignmentSchema, {
    id,
    epoch: BigInt(epoch),
    revision: 1n,
    releasedVersion: 1n,
    ...shares,
    ...over,
  } as never)
}

const endpoint = (): OwnEndpoint => held.rosters[0]!.endpoint as OwnEndpoint
const reports = (): LaneReport[] => [...held.report()].sort((a, b) => a.id!.partition - b.id!.partition)
const states = (): State[] => reports().map((each) => each.state)

describe('lanes that are assigned', () => {
  test('are reported from then on, start, and say the revision that they work by', async () => {
    held.assign([await assign(0, 5), await assign(1, 6)])
    expect(states()).toEqual([State.STARTING, State.STARTING])
    await vi.waitFor(() => expect(states()).toEqual([State.RUNNING, State.RUNNING]), 5000)
    expect(reports()[1]).toMatchObject({ epoch: 6n, revision: 1n, condition: LaneCondition.UNSPECIFIED, endOffset: -1n })
    expect(held.rosters).toHaveLength(1)
    expect(endpoint().maxInFlight).toBe(8)
  })

  test('wait, and say so, while the control plane does not give their definition', async () => {
    definitions = () => {
      throw new Error('deadline exceeded')
    }
    held.assign([await assign(0, 5)])
    await vi.waitFor(() => expect(reports()[0]?.message).toMatch(/deadline exceeded/))
    expect(states()).toEqual([State.STARTING])
    // A replica that has not heard of it yet.
    definitions = () => []
    await vi.waitFor(() => expect(reports()[0]?.message).toBe(''), 5000)
    definitions = () => [useCase(1)]
    await vi.waitFor(() => expect(states()).toEqual([State.RUNNING]), 5000)
  })

  test('say that this worker cannot carry out their use case, until it can', async () => {
    definitions = () => [useCase(1, 'ftp://127.0.0.1/')]
    held.assign([await assign(0, 5)])
    await vi.waitFor(() => expect(reports()[0]?.condition).toBe(LaneCondition.NOT_SUPPORTED))
    expect(reports()[0]?.message).toMatch(/revision 1 cannot be carried out by this worker.*url/)
    definitions = () => [useCase(2)]
    held.assign([await assign(0, 5, { revision: 2n })])
    await vi.waitFor(() => expect(states()).toEqual([State.RUNNING]), 5000)
    expect(reports()[0]?.condition).toBe(LaneCondition.UNSPECIFIED)
  })

  test('go on by the old revision when this worker cannot carry out the new one, and say why', async () => {
    held.assign([await assign(0, 5)])
    await vi.waitFor(() => expect(states()).toEqual([State.RUNNING]), 5000)
    definitions = () => [useCase(2, 'ftp://127.0.0.1/')]
    held.assign([await assign(0, 5, { revision: 2n })])
    await vi.waitFor(() => expect(reports()[0]?.message).toMatch(/revision 2 cannot/), 5000)
    expect(reports()[0]).toMatchObject({ state: State.RUNNING, revision: 1n, condition: LaneCondition.UNSPECIFIED })
    definitions = () => [useCase(3, 'http://127.0.0.1:10/')]
    held.assign([await assign(0, 5, { revision: 3n, maxInFlight: 2 })])
    await vi.waitFor(() => expect(reports()[0]).toMatchObject({ revision: 3n, message: '' }), 5000)
    expect(endpoint().maxInFlight).toBe(2)
    expect(held.rosters[0]!.route.plan.origin).toBe('http://127.0.0.1:10')
  })

  test('of a Kafka cluster that this worker does not know are not read from another', async () => {
    const assignment = await assign(0, 5)
    held.assign([Object.assign(assignment, { id: { ...assignment.id!, cluster: 'west' } })])
    await vi.waitFor(() => expect(reports()[0]?.condition).toBe(LaneCondition.NOT_SUPPORTED))
    expect(reports()[0]?.message).toMatch(/no Kafka cluster west/)
  })
})

test('a share of a rate limit holds and is reported as soon as it is assigned, whatever the definition waits for', async () => {
  definitions = () => [withRate(1, 100)]
  held.assign([await assign(0, 5, { rateSharePpm: 1_000_000 }), await assign(1, 6, { rateSharePpm: 1_000_000 })])
  await vi.waitFor(() => expect(states()).toEqual([State.RUNNING, State.RUNNING]), 5000)
  expect(endpoint().rate?.text).toMatch(/sends 100 of 100 records a second/)
  definitions = () => {
    throw new Error('deadline exceeded')
  }
  held.assign([await assign(0, 5, { rateSharePpm: 250_000, revision: 2n })])
  expect(endpoint().rate?.text).toMatch(/sends 25 of 100 records a second/)
  expect(reports().map((each) => each.rateSharePpm)).toEqual([250_000, 250_000])
  definitions = () => [useCase(2)]
  await vi.waitFor(() => expect(endpoint().rate).toBeUndefined(), 5000)
  held.loseAll('the lease was lost')
  definitions = () => [withRate(3, 8)]
  held.assign([await assign(0, 50, { releasedVersion: 2n, revision: 3n })])
  await vi.waitFor(() => expect(states()).toEqual([State.RUNNING]), 5000)
  expect(endpoint().rate?.text).toMatch(/sends 0 of 8 records a second/)
})

test('what was found out of an endpoint stays with a new share, and goes with another endpoint', async () => {
  definitions = () => [withConcurrency(1, Concurrency.ADAPTIVE)]
  held.assign([await assign(0, 5)])
  await vi.waitFor(() => expect(states()).toEqual([State.RUNNING]), 5000)
  const { adaptive } = endpoint()
  expect(adaptive).toMatchObject({ max: 8, limit: 1 })
  held.assign([await assign(0, 5, { maxInFlight: 3 })])
  await vi.waitFor(() => expect(adaptive!.max).toBe(3), 5000)
  expect(endpoint().adaptive).toBe(adaptive)
  definitions = () => [withConcurrency(2, Concurrency.ADAPTIVE, 'http://127.0.0.1:10/')]
  held.assign([await assign(0, 5, { revision: 2n })])
  await vi.waitFor(() => expect(endpoint().adaptive).not.toBe(adaptive), 5000)
  definitions = () => [withConcurrency(3, Concurrency.FIXED)]
  held.assign([await assign(0, 5, { revision: 3n })])
  await vi.waitFor(() => expect(endpoint().adaptive).toBeUndefined(), 5000)
})

test('use cases of an endpoint group have one endpoint together, by what their assignments say of it', async () => {
  const other = `${uid}-other`
  definitions = () => [useCase(1), Object.assign(useCase(1), { uid: other })]
  const inGroup = (name: string, recordsPerSecond: number) =>
    create(EndpointGroupSchema, { name, maxInFlight: 16, concurrency: Concurrency.ADAPTIVE, rateLimit: { recordsPerSecond } })
  const of = (endpointGroup: EndpointGroup | undefined, rateSharePpm: number) => ({ endpointGroup, rateSharePpm }) as never
  const one = await assign(0, 5, of(inGroup('demo/shop', 100), 500_000))
  const two = Object.assign(await assign(1, 6, of(inGroup('demo/shop', 100), 500_000)))
  two.id = { ...two.id!, uid: other }
  held.assign([one, two])
  await vi.waitFor(() => expect(held.rosters).toHaveLength(2), 5000)
  await vi.waitFor(() => expect(held.rosters.map(({ endpoint }) => endpoint.group)).toEqual(['demo/shop', 'demo/shop']), 5000)
  const [first, second] = held.rosters
  expect(first!.endpoint).toBe(second!.endpoint)
  expect(first!.endpoint.maxInFlight).toBe(8)
  expect(first!.endpoint.rateOf(first!)?.text).toMatch(/sends 50 of 100 records a second/)
  // One leaves: what the other has stays as it is.
  held.assign([await assign(0, 5, of(undefined, 0)), two])
  await vi.waitFor(() => expect(first!.endpoint.group).toBeUndefined(), 5000)
  expect(first!.endpoint.rateOf(first!)).toBeUndefined()
  expect(second!.endpoint.rateOf(second!)?.text).toMatch(/sends 50 of 100 records a second/)
  // Nobody has an assignment any more: nor a share.
  held.assign([await assign(0, 5, of(undefined, 0))])
  expect(second!.endpoint.rateOf(second!)?.text).toMatch(/sends 0 of 100 records a second/)
})

describe('lanes that are let go', () => {
  test('are told until somebody has heard it, and then forgotten with their roster', async () => {
    const [one, two] = [await assign(0, 5), await assign(1, 6)]
    held.assign([one, two])
    await vi.waitFor(() => expect(states()).toEqual([State.RUNNING, State.RUNNING]), 5000)
    held.assign([two])
    expect(states()).toEqual([State.DRAINING, State.RUNNING])
    await held.keepers[0]!.checkpoint()
    expect(states()).toEqual([State.RELEASED, State.RUNNING])
    expect(hurried).toBe(1)
    held.acknowledge([
      { id: one.id!, epoch: 4n },
      { id: one.id!, epoch: 5n },
    ] as never)
    expect(states()).toEqual([State.RUNNING])
    held.assign([])
    await held.keepers[0]!.checkpoint()
    held.acknowledge([{ id: two.id!, epoch: 6n }] as never)
    expect([held.keepers.length, held.rosters.length]).toEqual([0, 0])
  })

  test('before they could start are released, and an assignment that comes while the worker leaves is not taken', async () => {
    definitions = () => []
    held.assign([await assign(0, 5)])
    held.leave()
    expect(states()).toEqual([State.RELEASED])
    held.assign([await assign(0, 5), await assign(1, 9)])
    expect(states()).toEqual([State.RELEASED])
  })

  test('all at once, with an expelled instance, leave nothing behind', async () => {
    held.assign([await assign(0, 5), await assign(1, 6)])
    await vi.waitFor(() => expect(states()).toEqual([State.RUNNING, State.RUNNING]), 5000)
    const { keepers } = held
    held.suspend()
    expect(reports()[0]).toMatchObject({ condition: LaneCondition.STATE_UNAVAILABLE, message: /no lease/ })
    held.loseAll('the lease was lost')
    expect(keepers.map((each) => each.state)).toEqual([State.LOST, State.LOST])
    expect([held.keepers.length, held.rosters.length]).toEqual([0, 0])
    // As another instance, with the same lanes again.
    held.resume()
    held.assign([await assign(0, 50, { releasedVersion: 2n })])
    await vi.waitFor(() => expect(states()).toEqual([State.RUNNING]), 5000)
  })
})
