import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Ordering } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { Fleet, shortLease } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { Load } from './harness/load.ts'
import { loseEverything } from './harness/redis.ts'
import { Topic } from './harness/topic.ts'
import { registerUseCase, specOf, waitForLanes } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

test('Redis killed and restarted under load costs nothing: no loss, no repeat', async () => {
  await using fleet = await Fleet.start({ workers: 2 })
  await using endpoint = await Endpoint.start(({ offset, attempt }) => ({
    delayMs: 5,
    status: offset % 5 === 0 && attempt === 1 ? 503 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery: { maxInFlight: 16 } }))
  await waitForLanes(fleet, useCase, topic.partitions)
  const load = Load.start(topic, 600)
  for (let round = 1; round <= 2; round++) {
    const before = endpoint.successes
    await waitUntil('delivery goes on', 30_000, () => endpoint.successes > before + 700)
    await fleet.own.redis.kill()
    await fleet.own.redis.start()
  }
  const published = await load.stop()
  const counts = await certificate(fleet, useCase, 40_000)
  expect(counts).toMatchObject({ published, delivered: published, missing: 0, onTheWay: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.repeats).toBe(0)
}, 90_000)

test('Redis away for longer than the lease stops delivery, and afterwards nothing is missing and only what was aborted is sent again', async () => {
  await using fleet = await Fleet.start({ workers: 2, workerEnv: shortLease })
  await using endpoint = await Endpoint.start(({ offset, attempt }) => ({
    delayMs: 5,
    status: offset % 5 === 0 && attempt === 1 ? 503 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  const delivery = { maxInFlight: 16 }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery }))
  await waitForLanes(fleet, useCase, topic.partitions)
  const load = Load.start(topic, 600)
  await waitUntil('delivery has begun', 30_000, () => endpoint.successes > 700)
  await fleet.own.redis.kill()
  await sleep(3500)
  const stopped = endpoint.requests.length
  await sleep(1500)
  expect(endpoint.requests.length).toBe(stopped)
  await fleet.own.redis.start()
  await waitUntil('delivery goes on', 30_000, () => endpoint.requests.length > stopped + 500)
  const published = await load.stop()
  const counts = await certificate(fleet, useCase, 50_000)
  expect(counts).toMatchObject({ published, delivered: published, missing: 0, onTheWay: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint, { crashed: true })
  expect(judged.problems).toEqual([])
  // What was aborted at the lease's end is in the log all the same.
  expect(judged.lostRows).toBe(0)
  expect(judged.repeatsOfLogged).toBe(0)
}, 90_000)

test('a Redis that has lost everything is filled again from the audit, from Kafka and from the log, and keys stay in order', async () => {
  await using fleet = await Fleet.start({ workers: 2 })
  await using endpoint = await Endpoint.start(({ offset, attempt }) => ({
    delayMs: 5,
    status: offset % 5 === 0 && attempt === 1 ? 503 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  const delivery = { ordering: Ordering.KEY, maxInFlight: 16 }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery }))
  await waitForLanes(fleet, useCase, topic.partitions)
  const load = Load.start(topic, 600, 300)
  await waitUntil('delivery has begun', 30_000, () => endpoint.successes > 700)
  await waitUntil(
    'the audit has the use case',
    10_000,
    async () => (await fleet.sql.number('SELECT count() FROM use_case_changes')) > 0,
  )
  const before = endpoint.successes
  await loseEverything(fleet)
  await waitUntil('delivery goes on', 30_000, () => endpoint.successes > before + 1000)
  const published = await load.stop()
  const counts = await certificate(fleet, useCase, 60_000)
  expect(counts).toMatchObject({ published, delivered: published, missing: 0, onTheWay: 0 })
  const { useCase: restored } = await fleet.client.useCases.getUseCase({ name: useCase.name })
  expect(restored!.uid).toBe(useCase.uid)
  const judged = await judge(fleet, useCase, topic, endpoint, { crashed: true })
  expect(judged.problems).toEqual([])
  expect(judged.lostRows).toBe(0)
}, 120_000)
