import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { createTopic } from '../../deploy/local/create-topic.ts'
import { LaneCondition, LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { StartPosition, UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { groupId, laneKeys } from '../../runtime/lane-keys.ts'
import { TestFleet } from './test-fleet.ts'

let fleet: TestFleet
const latest = { case: 'position', value: StartPosition.LATEST } as const

beforeAll(async () => {
  fleet = await TestFleet.open()
}, 120_000)

afterEach(async () => {
  await fleet.clear()
  expect(fleet.conflicts).toEqual([])
})

afterAll(() => fleet.close())

test('a new use case is registered everywhere before its lanes are given to a worker', async () => {
  const topic = await fleet.topic(2, 3)
  const useCase = fleet.useCase(topic, latest)
  const [first, second] = fleet.lanesOf(useCase, 2)
  fleet.replica()
  const worker = fleet.worker()
  await fleet.running([first!, second!])

  expect(worker.given.map(({ id, releasedVersion }) => [id.partition, releasedVersion])).toEqual([
    [0, 1],
    [1, 1],
  ])
  const state = await fleet.redis.hgetall(laneKeys(first!).lane)
  expect(state).toMatchObject({ version: '1', cursor: '3', ended: '', credit: '', owner: worker.instance })
  const group = groupId(useCase.name, useCase.uid)
  expect(await fleet.source.groupOffsets('default', group, topic, [0, 1])).toEqual([
    { partition: 0, offset: 3, metadata: '1;3;' },
    { partition: 1, offset: 3, metadata: '1;3;' },
  ])
  const ranges = await fleet.select(`SELECT partition, kind, runs FROM ranges WHERE uid = '${useCase.uid}' ORDER BY partition`)
  expect(ranges).toEqual([
    { partition: 0, kind: 'BEFORE_START', runs: [[0, 2]] },
    { partition: 1, kind: 'BEFORE_START', runs: [[0, 2]] },
  ])
})

test('partitions that are added start at their beginning, also when the use case began at the end', async () => {
  const topic = await fleet.topic(1, 2)
  const useCase = fleet.useCase(topic, latest)
  const lanes = fleet.lanesOf(useCase, 3)
  fleet.replica()
  fleet.worker()
  await fleet.running(lanes.slice(0, 1))
  await fleet.admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
  await fleet.produce(topic, 3, 2)
  await fleet.running(lanes)
  const cursors = await Promise.all(lanes.map((lane) => fleet.redis.hget(laneKeys(lane).lane, 'cursor')))
  expect(cursors).toEqual(['2', '0', '0'])
})

test('what waits in a use case that is deleted ends in the log with its bytes, and nothing else is left of it', async () => {
  const topic = await fleet.topic(2)
  const useCase = fleet.useCase(topic)
  const lanes = fleet.lanesOf(useCase, 2)
  fleet.replica()
  fleet.worker()
  await fleet.running(lanes)
  const keys = laneKeys(lanes[0]!)
  await fleet.redis.hset(keys.parked, {
    7: 'P - 1 0 0 0 0 0 3 R - 0',
    8: 'P - 1 0 0 0 0 0 3 R - 0',
    11: 'X - 1 0 0 0 0 0 3 K - 0',
  })
  await fleet.redis.hset(keys.bytes, { 7: Buffer.from([1, 0, 255]), 8: Buffer.from('two') })
  fleet.setState(useCase, UseCaseState.DELETING)
  await vi.waitFor(() => expect(fleet.finished).toContain(useCase.uid), { timeout: 15_000 })

  const ranges = await fleet.select(
    `SELECT partition, reason, runs FROM ranges WHERE uid = '${useCase.uid}' AND kind = 'OPERATOR'`,
  )
  expect(ranges).toEqual([
    {
      partition: 0,
      reason: 'DELETED',
      runs: [
        [7, 8],
        [11, 11],
      ],
    },
  ])
  const payloads = await fleet.select(
    `SELECT offset, hex(packed_record) AS bytes, dateDiff('day', end_time, expire_time) AS days FROM payloads WHERE uid = '${useCase.uid}' ORDER BY offset`,
  )
  expect(payloads).toEqual([
    { offset: 7, bytes: '0100FF', days: 30 },
    { offset: 8, bytes: '74776F', days: 30 },
  ])
  for (const lane of lanes) expect(await fleet.redis.exists(...Object.values(laneKeys(lane)))).toBe(0)
  expect(await fleet.source.groupOffsets('default', groupId(useCase.name, useCase.uid), topic, [0, 1])).toEqual([])
  await vi.waitFor(() => expect(fleet.leader()!.fleet.counts().lanes.FREE).toBe(0), { timeout: 5000 })
})

test('a lane that Redis has lost is given out for its worker to rebuild, once nobody can hold it', async () => {
  const topic = await fleet.topic(1, 5)
  const useCase = fleet.useCase(topic)
  const [lane] = fleet.lanesOf(useCase, 1)
  const { fleet: before } = fleet.replica()
  const worker = fleet.worker()
  await fleet.running([lane!])
  const outcome = { ...lane!, offset: 0, round: 0, epoch: 1, attempt: 1, outcome: 'DELIVERED', end_time: Date.now() }
  await fleet.clickhouse.insert({ table: 'outcomes', values: [outcome], format: 'JSONEachRow' })
  await worker.kill()
  await before.stop()
  await fleet.redis.del(laneKeys(lane!).lane)
  fleet.replica()
  const other = fleet.worker()
  await fleet.running([lane!])
  expect(other.given[0]!.releasedVersion).toBe(0)
  // No position was made up: that is the worker's, from Kafka's group and the log.
  expect(await fleet.redis.hget(laneKeys(lane!).lane, 'cursor')).toBeNull()
})

test('a lane that only the log knows needs a decision, and goes on from the offset that an operator sets', async () => {
  const topic = await fleet.topic(1, 5)
  const useCase = fleet.useCase(topic)
  const [lane] = fleet.lanesOf(useCase, 1)
  const outcome = { ...lane!, offset: 0, round: 0, epoch: 1, attempt: 1, outcome: 'DELIVERED', end_time: Date.now() }
  await fleet.clickhouse.insert({ table: 'outcomes', values: [outcome], format: 'JSONEachRow' })
  const { fleet: leader } = fleet.replica()
  fleet.worker()
  await vi.waitFor(
    async () => {
      const {
        lanes: [view],
      } = await leader.lanes(useCase.name, 0, '')
      expect(view).toMatchObject({
        ...{ condition: LaneCondition.NEEDS_DECISION, state: LaneState.UNASSIGNED },
        message: expect.stringContaining(groupId(useCase.name, useCase.uid)),
      })
    },
    { timeout: 10_000 },
  )
  await fleet.source.commit('default', groupId(useCase.name, useCase.uid), topic, [{ partition: 0, offset: 3, metadata: '' }])
  await fleet.running([lane!])
})

test('a registration that was interrupted is finished with the start that it had written', async () => {
  const topic = await fleet.topic(2, 4)
  const useCase = fleet.useCase(topic, latest)
  const lanes = fleet.lanesOf(useCase, 2)
  // Of one the group's offset was written, of the other the range too, and the group's offset was lost since.
  await fleet.source.commit('default', groupId(useCase.name, useCase.uid), topic, [{ partition: 0, offset: 2, metadata: '1;2;' }])
  await fleet.laneLog.writeBeforeStart(lanes[1]!, 3, Date.now())
  fleet.replica()
  fleet.worker()
  await fleet.running(lanes)
  expect(await Promise.all(lanes.map((lane) => fleet.redis.hget(laneKeys(lane).lane, 'cursor')))).toEqual(['2', '3'])
  const ranges = await fleet.select(`SELECT partition, runs FROM ranges WHERE uid = '${useCase.uid}' ORDER BY partition`)
  expect(ranges).toEqual([
    { partition: 0, runs: [[0, 1]] },
    { partition: 1, runs: [[0, 2]] },
  ])
})

test('a use case whose topic is not there says so, and starts when it is', async () => {
  const topic = `${await fleet.topic(1)}-late`
  const useCase = fleet.useCase(topic)
  const { fleet: leader } = fleet.replica()
  fleet.worker()
  await vi.waitFor(
    async () => {
      const {
        lanes: [view],
      } = await leader.lanes(useCase.name, 0, '')
      expect(view).toMatchObject({ condition: LaneCondition.SOURCE_ERROR, message: expect.stringContaining(`no topic ${topic}`) })
    },
    { timeout: 10_000 },
  )
  await createTopic(fleet.admin, { topic, numPartitions: 1 })
  await fleet.running(fleet.lanesOf(useCase, 1))
})

test('a new use case waits for the log, because its start must be there before its first record', async () => {
  const topic = await fleet.topic(1)
  const useCase = fleet.useCase(topic)
  const [lane] = fleet.lanesOf(useCase, 1)
  const first = fleet.replica(['clickhouse'])
  fleet.worker()
  await vi.waitFor(
    async () => {
      const {
        lanes: [view],
      } = await first.fleet.lanes(useCase.name, 0, '')
      expect(view).toMatchObject({ condition: LaneCondition.LOG_UNAVAILABLE, state: LaneState.UNASSIGNED })
    },
    { timeout: 10_000 },
  )
  expect(await fleet.redis.exists(laneKeys(lane!).lane)).toBe(0)
  await first.fleet.stop()
  fleet.replica()
  await fleet.running([lane!])
})

test('lanes that nobody reports are listed with what Redis and Kafka know', async () => {
  const topic = await fleet.topic(1, 6)
  const useCase = fleet.useCase(topic)
  const [lane] = fleet.lanesOf(useCase, 1)
  const { fleet: leader } = fleet.replica()
  await vi.waitFor(() => expect(leader.counts().lanes.FREE).toBe(1), { timeout: 10_000 })
  await fleet.redis.hset(laneKeys(lane!).lane, 'cursor', 4)
  await fleet.redis.hset(laneKeys(lane!).parked, { 1: 'P - 1 0 0 0 0 0 3 K - 0' })
  const {
    lanes: [view],
  } = await leader.lanes('', 0, '')
  expect(view).toMatchObject({
    useCase: useCase.name,
    state: LaneState.UNASSIGNED,
    condition: LaneCondition.NO_WORKER,
    worker: '',
  })
  expect(view!.figures).toMatchObject({ cursor: 4, floor: 0, endOffset: 6, parked: 1 })
  await expect(leader.lanes('namespaces/test/useCases/none', 0, '')).rejects.toMatchObject({ code: 'USE_CASE_NOT_FOUND' })
})
