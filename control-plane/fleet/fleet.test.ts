import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { LaneCondition, LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { StartPosition, UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { groupId, laneKey, laneKeys, leaseKey } from '../../runtime/lane-keys.ts'
import { TestFleet } from './test-fleet.ts'

let fleet: TestFleet
const latest = { case: 'position', value: StartPosition.LATEST } as const

beforeAll(async () => {
  fleet = await TestFleet.open()
}, 120_000)

afterEach(async () => {
  await Promise.all(fleet.workers.splice(0).map((worker) => worker.kill()))
  await Promise.all(fleet.replicas.splice(0).map((replica) => replica.fleet.stop()))
  fleet.useCases.clear()
  expect(fleet.conflicts).toEqual([])
})

afterAll(() => fleet.close())

const count = (list: readonly unknown[], item: unknown): number => list.filter((each) => each === item).length

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

test('a worker that joins takes its part by moves that lose nothing, and one that leaves gives all of it back', async () => {
  const topic = await fleet.topic(4)
  const lanes = fleet.lanesOf(fleet.useCase(topic), 4)
  fleet.replica()
  const first = fleet.worker()
  await fleet.running(lanes)
  const second = fleet.worker()
  await vi.waitFor(async () => expect(count(await fleet.running(lanes), second)).toBe(2), { timeout: 10_000 })
  // Each was let go cleanly, and its next START says so.
  for (const { releasedVersion } of second.given) expect(releasedVersion).toBe(2)

  first.draining = true
  await vi.waitFor(async () => expect(count(await fleet.running(lanes), second)).toBe(4), { timeout: 10_000 })
  expect(first.held.size).toBe(0)
})

test("a silent worker's lanes move when its lease is over, and it never comes back as what it was", async () => {
  const topic = await fleet.topic(2)
  const lanes = fleet.lanesOf(fleet.useCase(topic), 2)
  fleet.replica()
  const frozen = fleet.worker()
  await fleet.running(lanes)
  const thaw = frozen.freeze()
  const other = fleet.worker()
  await vi.waitFor(async () => expect(count(await fleet.running(lanes), other)).toBe(2), { timeout: 10_000 })
  expect(await fleet.redis.get(leaseKey(frozen.instance))).toBe('expelled')
  thaw()
  await vi.waitFor(() => expect(frozen.isExpelled).toBe(true), { timeout: 5000 })
  expect(count(await fleet.running(lanes), other)).toBe(2)
})

test('a worker that is silent to the leader and keeps its lease keeps its lanes', async () => {
  const topic = await fleet.topic(2)
  const lanes = fleet.lanesOf(fleet.useCase(topic), 2)
  const { fleet: leader } = fleet.replica()
  const worker = fleet.worker()
  await fleet.running(lanes)
  const epochs = worker.given.map(({ epoch }) => epoch)
  const beat = vi.spyOn(leader, 'heartbeat').mockRejectedValue(new Error('cut off'))
  await vi.waitFor(() => expect(beat.mock.calls.length).toBeGreaterThan(40), { timeout: 20_000 })
  beat.mockRestore()
  await fleet.running(lanes)
  expect(worker.given.map(({ epoch }) => epoch)).toEqual(epochs)
})

test('another replica takes over from a leader that is killed, and no lane moves', async () => {
  const topic = await fleet.topic(4)
  const lanes = fleet.lanesOf(fleet.useCase(topic), 4)
  const first = fleet.replica()
  const workers = [fleet.worker(), fleet.worker()]
  await vi.waitFor(async () => expect(new Set(await fleet.running(lanes)).size).toBe(2), { timeout: 10_000 })
  const given = workers.map((worker) => worker.given.length)
  const second = fleet.replica()
  const before = first.fleet.lead()!.term
  first.kill()
  await vi.waitFor(() => expect(second.fleet.lead()?.term).toBeGreaterThan(before), { timeout: 10_000 })
  await vi.waitFor(() => expect(second.fleet.counts().lanes.GIVEN).toBe(4), { timeout: 10_000 })
  await fleet.running(lanes)
  expect(workers.map((worker) => worker.given.length)).toEqual(given)
})

test('a worker that dies together with the leader is followed by another', async () => {
  const topic = await fleet.topic(2)
  const lanes = fleet.lanesOf(fleet.useCase(topic), 2)
  const first = fleet.replica()
  const dying = fleet.worker()
  await fleet.running(lanes)
  const other = fleet.worker()
  fleet.replica()
  first.kill()
  await dying.kill()
  await vi.waitFor(async () => expect(count(await fleet.running(lanes), other)).toBe(2), { timeout: 15_000 })
})

test('a leader killed in the middle of moves leaves nothing behind that the next one cannot finish', async () => {
  const topic = await fleet.topic(8)
  const lanes = fleet.lanesOf(fleet.useCase(topic), 8)
  let leader = fleet.replica()
  const workers = [fleet.worker()]
  await fleet.running(lanes)
  for (let round = 0; round < 3; round++) {
    const next = fleet.replica()
    workers.push(fleet.worker())
    await vi.waitFor(() => expect(leader.fleet.counts().lanes.LEAVING).toBeGreaterThan(0), { timeout: 10_000, interval: 1 })
    leader.kill()
    await vi.waitFor(() => expect(next.fleet.lead()).toBeDefined(), { timeout: 10_000 })
    leader = next
    await vi.waitFor(
      async () => {
        const holders = await fleet.running(lanes)
        const counts = workers.map((worker) => count(holders, worker))
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
      },
      { timeout: 15_000 },
    )
  }
}, 90_000)

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

test('a paused use case is held by nobody, and goes on where it was', async () => {
  const topic = await fleet.topic(2)
  const useCase = fleet.useCase(topic)
  const lanes = fleet.lanesOf(useCase, 2)
  fleet.replica()
  const worker = fleet.worker()
  await fleet.running(lanes)
  fleet.setState(useCase, UseCaseState.PAUSED)
  await vi.waitFor(() => expect(worker.held.size).toBe(0), { timeout: 10_000 })
  expect((await fleet.leader()!.fleet.lanes(useCase.name)).map(({ state, condition }) => [state, condition])).toEqual([
    [LaneState.UNASSIGNED, LaneCondition.PAUSED],
    [LaneState.UNASSIGNED, LaneCondition.PAUSED],
  ])
  fleet.setState(useCase, UseCaseState.ACTIVE)
  await fleet.running(lanes)
  expect(worker.given.at(-1)).toMatchObject({ releasedVersion: 2, revision: 3 })
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

test('when Redis has lost everything, lanes stay with those who hold them', async () => {
  const topic = await fleet.topic(3)
  const lanes = fleet.lanesOf(fleet.useCase(topic), 3)
  const { fleet: leader } = fleet.replica()
  const workers = [fleet.worker(), fleet.worker()]
  const holders = await fleet.running(lanes)
  const given = workers.map((worker) => worker.given.length)
  const { term } = leader.lead()!
  await fleet.loseRedis(lanes)
  await vi.waitFor(() => expect(leader.lead()?.term).toBeGreaterThan(term), { timeout: 10_000 })
  await vi.waitFor(() => expect(leader.counts().lanes.GIVEN).toBe(3), { timeout: 10_000 })
  expect(await fleet.running(lanes)).toEqual(holders)
  expect(workers.map((worker) => worker.given.length)).toEqual(given)
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
      const [view] = await leader.lanes(useCase.name)
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
      const [view] = await leader.lanes(useCase.name)
      expect(view).toMatchObject({ condition: LaneCondition.SOURCE_ERROR, message: expect.stringContaining(`no topic ${topic}`) })
    },
    { timeout: 10_000 },
  )
  await fleet.admin.createTopics({ topics: [{ topic, numPartitions: 1 }] })
  await fleet.running(fleet.lanesOf(useCase, 1))
})

test('a new leader that cannot reach Kafka keeps lanes where they are, and gives those of a dead worker to another', async () => {
  const topic = await fleet.topic(4)
  const lanes = fleet.lanesOf(fleet.useCase(topic), 4)
  const first = fleet.replica()
  const workers = [fleet.worker(), fleet.worker()]
  await vi.waitFor(async () => expect(new Set(await fleet.running(lanes)).size).toBe(2), { timeout: 10_000 })
  const given = workers[1]!.given.length
  await first.fleet.stop()
  const { fleet: leader } = fleet.replica(['kafka'])
  await vi.waitFor(() => expect(leader.counts().lanes.GIVEN).toBe(4), { timeout: 10_000 })
  expect(workers[1]!.given).toHaveLength(given)
  await workers[0]!.kill()
  await vi.waitFor(async () => expect(count(await fleet.running(lanes), workers[1])).toBe(4), { timeout: 15_000 })
})

test('a new use case waits for the log, because its start must be there before its first record', async () => {
  const topic = await fleet.topic(1)
  const useCase = fleet.useCase(topic)
  const [lane] = fleet.lanesOf(useCase, 1)
  const first = fleet.replica(['clickhouse'])
  fleet.worker()
  await vi.waitFor(
    async () => {
      const [view] = await first.fleet.lanes(useCase.name)
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
  const [view] = await leader.lanes('')
  expect(view).toMatchObject({
    useCase: useCase.name,
    state: LaneState.UNASSIGNED,
    condition: LaneCondition.NO_WORKER,
    worker: '',
  })
  expect(view!.figures).toMatchObject({ cursor: 4, floor: 0, endOffset: 6, parked: 1 })
  await expect(leader.lanes('namespaces/test/useCases/none')).rejects.toMatchObject({ code: 'USE_CASE_NOT_FOUND' })
})

test('an inbox is named to the worker that holds its lane', async () => {
  const topic = await fleet.topic(1)
  const [lane] = fleet.lanesOf(fleet.useCase(topic), 1)
  const { fleet: leader } = fleet.replica()
  const worker = fleet.worker()
  await fleet.running([lane!])
  const heard: string[] = []
  const real = leader.heartbeat.bind(leader)
  vi.spyOn(leader, 'heartbeat').mockImplementation(async (beat) => {
    const reply = await real(beat)
    heard.push(...reply.inboxes.map(laneKey))
    return reply
  })
  leader.markInbox(lane!)
  await vi.waitFor(() => expect(heard).toContain(laneKey(lane!)), { timeout: 5000 })
  expect(worker.runs(laneKey(lane!))).toBe(true)
})
