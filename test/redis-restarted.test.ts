import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Ordering } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { Fleet, shortLease } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { loseEverything } from './harness/redis.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf, waitForLanes } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const published = 5000

test('Redis killed and restarted under load costs nothing: no loss, no repeat', async () => {
  await using fleet = await Fleet.start({ workers: 2 })
  await using endpoint = await Endpoint.start(({ offset, attempt }) => ({
    delayMs: 5,
    status: offset % 5 === 0 && attempt === 1 ? 503 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery: { maxInFlight: 16 } }))
  await waitForLanes(fleet, useCase, topic.partitions)
  await topic.publish(jsonRecords(published))
  for (const share of [0.2, 0.5]) {
    await waitUntil(`${share} of it is delivered`, 30_000, () => endpoint.successes > published * share)
    await fleet.own.redis.kill()
    await fleet.own.redis.start()
  }
  const counts = await certificate(fleet, useCase, 40_000)
  expect(counts).toMatchObject({ published, delivered: published, missing: 0, onTheWay: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.repeats).toBe(0)
}, 90_000)

test('Redis away for longer than the lease stops delivery, and afterwards nothing is missing and keys are in order', async () => {
  await using fleet = await Fleet.start({ workers: 2, workerEnv: shortLease })
  await using endpoint = await Endpoint.start(({ offset, attempt }) => ({
    delayMs: 5,
    status: offset % 5 === 0 && attempt === 1 ? 503 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  const delivery = { ordering: Ordering.KEY, maxInFlight: 16 }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery }))
  await waitForLanes(fleet, useCase, topic.partitions)
  await topic.publish(jsonRecords(published, { keys: 300 }))
  await waitUntil('a fifth is delivered', 30_000, () => endpoint.successes > published / 5)
  await fleet.own.redis.kill()
  await sleep(3500)
  const stopped = endpoint.requests.length
  await sleep(1500)
  expect(endpoint.requests.length).toBe(stopped)
  expect(endpoint.successes).toBeLessThan(published)
  await fleet.own.redis.start()
  const counts = await certificate(fleet, useCase, 50_000)
  expect(counts).toMatchObject({ published, delivered: published, missing: 0, onTheWay: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint, { crashed: true })
  expect(judged.problems).toEqual([])
  // What was aborted at the lease's end is in the log all the same.
  expect(judged.lostRows).toBe(0)
  expect(judged.repeatsOfLogged).toBe(0)
}, 90_000)

test('a Redis that has lost everything is filled again from the audit, from Kafka and from the log', async () => {
  await using fleet = await Fleet.start({ workers: 2 })
  await using endpoint = await Endpoint.start(({ offset, attempt }) => ({
    delayMs: 5,
    status: offset % 5 === 0 && attempt === 1 ? 503 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery: { maxInFlight: 16 } }))
  await waitForLanes(fleet, useCase, topic.partitions)
  await topic.publish(jsonRecords(published))
  await waitUntil('a third is delivered', 30_000, () => endpoint.successes > published / 3)
  await waitUntil(
    'the audit has the use case',
    10_000,
    async () => (await fleet.sql.number('SELECT count() FROM use_case_changes')) > 0,
  )
  await loseEverything(fleet)
  const counts = await certificate(fleet, useCase, 60_000)
  expect(counts).toMatchObject({ published, delivered: published, missing: 0, onTheWay: 0 })
  const { useCase: restored } = await fleet.client.useCases.getUseCase({ name: useCase.name })
  expect(restored!.uid).toBe(useCase.uid)
  const judged = await judge(fleet, useCase, topic, endpoint, { crashed: true })
  expect(judged.problems).toEqual([])
  expect(judged.lostRows).toBe(0)
}, 120_000)
