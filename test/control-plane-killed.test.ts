import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { UseCase } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { Fleet } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { Load } from './harness/load.ts'
import { leaderOf } from './harness/redis.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf, waitForLanes } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const awayMs = 5000

/** Who holds each lane, and with which epoch. */
async function holders(fleet: Fleet, useCase: UseCase, partitions: number): Promise<string[]> {
  const lanes = await waitForLanes(fleet, useCase, partitions)
  return [...lanes.values()].map((lane) => `${lane.id!.partition} ${lane.worker} ${lane.epoch}`).sort()
}

test('without a control plane delivery goes on, and when it is back every lane is where it was', async () => {
  await using fleet = await Fleet.start({ workers: 2 })
  await using endpoint = await Endpoint.start(({ offset, attempt }) => ({
    delayMs: 5,
    status: offset % 7 === 0 && attempt === 1 ? 503 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  const delivery = { maxInFlight: 8 }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery }))
  const before = await holders(fleet, useCase, topic.partitions)
  const load = Load.start(topic, 500)
  await waitUntil('delivery has begun', 20_000, () => endpoint.successes > 200)
  const [controlPlane] = fleet.controlPlanes
  controlPlane!.kill('SIGKILL')
  await controlPlane!.waitExit(5000)
  const atKill = endpoint.successes
  await sleep(awayMs)
  // Longer than the heartbeat's timeout by far, and longer than the lease's life in Redis would be without its worker.
  expect(endpoint.successes).toBeGreaterThan(atKill + 300)
  await fleet.startControlPlane(controlPlane!.ports)
  expect(await holders(fleet, useCase, topic.partitions)).toEqual(before)
  const published = await load.stop()
  const counts = await certificate(fleet, useCase, 40_000)
  expect(counts).toMatchObject({ published, delivered: published, missing: 0, onTheWay: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.repeats).toBe(0)
  expect(await holders(fleet, useCase, topic.partitions)).toEqual(before)
}, 90_000)

test('when the leader of two control planes is killed, the other takes over and serves a new use case', async () => {
  await using fleet = await Fleet.start({ controlPlanes: 2, workers: 2 })
  await using endpoint = await Endpoint.start(() => ({ delayMs: 5 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  const before = await holders(fleet, useCase, topic.partitions)
  await topic.publish(jsonRecords(3000))
  await waitUntil('delivery has begun', 20_000, () => endpoint.successes > 200)
  const leader = await leaderOf(fleet)
  leader.kill('SIGKILL')
  await leader.waitExit(5000)
  fleet.forget(leader)
  await waitUntil('the other one leads', 20_000, async () => (await leaderOf(fleet)) === fleet.controlPlanes[0])
  const second = await registerUseCase(fleet, specOf(topic, endpoint))
  expect(await certificate(fleet, second, 40_000)).toMatchObject({ published: 3000, delivered: 3000, missing: 0, repeated: 0 })
  const counts = await certificate(fleet, useCase, 20_000)
  expect(counts).toMatchObject({ published: 3000, delivered: 3000, missing: 0, onTheWay: 0, repeated: 0 })
  expect(await holders(fleet, useCase, topic.partitions)).toEqual(before)
  for (const each of [useCase, second]) {
    const own = endpoint.of(each)
    const judged = await judge(fleet, each, topic, own)
    expect(judged.problems).toEqual([])
    expect(judged).toMatchObject({ repeats: 0, requests: 3000 })
  }
}, 90_000)
