import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { LaneCondition, LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { laneKey, leaseKey } from '../../runtime/lane-keys.ts'
import { TestFleet } from './test-fleet.ts'

let fleet: TestFleet

beforeAll(async () => {
  fleet = await TestFleet.open()
}, 120_000)

afterEach(async () => {
  await fleet.clear()
  expect(fleet.conflicts).toEqual([])
})

afterAll(() => fleet.close())

const count = (list: readonly unknown[], item: unknown): number => list.filter((each) => each === item).length

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

test('a worker that an operator takes out gives its lanes to the others, and stays out also of a leader to come', async () => {
  const topic = await fleet.topic(4)
  const lanes = fleet.lanesOf(fleet.useCase(topic), 4)
  const { fleet: leader } = fleet.replica()
  const first = fleet.worker()
  await fleet.running(lanes)
  expect(() => leader.drainWorker(first.instance)).toThrow('no other worker could take the lanes')
  expect(() => leader.drainWorker('nobody')).toThrow('there is no worker nobody')
  const second = fleet.worker()
  await vi.waitFor(async () => expect(count(await fleet.running(lanes), second)).toBe(2), { timeout: 10_000 })
  expect(leader.drainWorker(first.instance).worker.draining).toBe(true)
  expect(() => leader.drainWorker(second.instance)).toThrow('no other worker could take the lanes')
  await vi.waitFor(async () => expect(count(await fleet.running(lanes), second)).toBe(4), { timeout: 10_000 })
  // It says so itself from now on: whoever leads next need not have heard of it.
  expect([first.draining, first.held.size]).toEqual([true, 0])
  expect(leader.drainWorker(first.instance).lanes).toBe(0)
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

test('a paused use case is held by nobody, and goes on where it was', async () => {
  const topic = await fleet.topic(2)
  const useCase = fleet.useCase(topic)
  const lanes = fleet.lanesOf(useCase, 2)
  fleet.replica()
  const worker = fleet.worker()
  await fleet.running(lanes)
  fleet.setState(useCase, UseCaseState.PAUSED)
  await vi.waitFor(() => expect(worker.held.size).toBe(0), { timeout: 10_000 })
  expect(
    (await fleet.leader()!.fleet.lanes(useCase.name, 0, '')).lanes.map(({ state, condition }) => [state, condition]),
  ).toEqual([
    [LaneState.UNASSIGNED, LaneCondition.PAUSED],
    [LaneState.UNASSIGNED, LaneCondition.PAUSED],
  ])
  fleet.setState(useCase, UseCaseState.ACTIVE)
  await fleet.running(lanes)
  expect(worker.given.at(-1)).toMatchObject({ releasedVersion: 2, revision: 3 })
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
