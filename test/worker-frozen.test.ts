import { expect, test } from 'vitest'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { Fleet, shortLease } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { Load } from './harness/load.ts'
import { storedLane } from './harness/redis.ts'
import { Topic } from './harness/topic.ts'
import { registerUseCase, specOf, waitForLanes } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

test('a worker frozen past its lease changes nothing when it wakes, and goes on as another instance', async () => {
  await using fleet = await Fleet.start({ workers: 2, workerEnv: shortLease })
  await using endpoint = await Endpoint.start(() => ({ delayMs: 5 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  const before = await waitForLanes(fleet, useCase, topic.partitions)
  const load = Load.start(topic, 600)
  await waitUntil('delivery has begun', 20_000, () => endpoint.successes > 500)
  const frozen = fleet.workers[0]!
  const workersBefore = await instances(fleet)
  frozen.kill('SIGSTOP')
  await waitUntil('the other worker holds all lanes', 20_000, async () => {
    const lanes = await waitForLanes(fleet, useCase, topic.partitions)
    return new Set([...lanes.values()].map((lane) => lane.worker)).size === 1
  })
  // Every lane that has moved has a new epoch, and what its new owner has written stands.
  const moved = await waitForLanes(fleet, useCase, topic.partitions)
  const owner = [...moved.values()][0]!.worker
  const lost = [...before.values()].filter((lane) => lane.worker !== owner)
  expect(lost.length).toBeGreaterThan(0)
  for (const lane of lost) expect(moved.get(lane.id!.partition)!.epoch).toBeGreaterThan(lane.epoch)
  const successes = endpoint.successes
  await waitUntil('delivery goes on without it', 20_000, () => endpoint.successes > successes + 200)
  const wokenMs = performance.timeOrigin + performance.now()
  frozen.kill('SIGCONT')
  await waitUntil('it is there as another instance', 20_000, async () => {
    const now = await instances(fleet)
    return now.size === 2 && [...now].some((each) => !workersBefore.has(each))
  })
  expect(frozen.exit).toBeUndefined()
  const published = await load.stop()
  const counts = await certificate(fleet, useCase, 60_000)
  expect(counts).toMatchObject({ published, delivered: published, missing: 0, onTheWay: 0 })
  // Its late rows are in the log: a freeze loses none, so every repeat is seen by both sides.
  const judged = await waitUntil('its late rows are in the log', 10_000, async () => {
    const now = await judge(fleet, useCase, topic, endpoint, { crashed: true })
    return now.lostRows === 0 && now
  })
  expect(judged.problems).toEqual([])
  // It has sent nothing more by its old epochs, and Redis has nothing of them.
  for (const { id, epoch, worker } of lost) {
    const stale = endpoint.requests.filter((each) => each.partition === id!.partition && each.epoch === Number(epoch))
    expect(stale.filter((each) => each.arrivedMs > wokenMs)).toEqual([])
    const stored = await storedLane(fleet, id!)
    expect(Number(stored['writer'])).toBeGreaterThan(Number(epoch))
    expect(stored['owner']).not.toBe(worker)
  }
}, 120_000)

async function instances(fleet: Fleet): Promise<Set<string>> {
  const { workers } = await fleet.client.fleet.listWorkers({})
  return new Set(workers.map((each) => each.instance))
}
