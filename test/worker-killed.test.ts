import { expect, test } from 'vitest'
import { Ordering } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { Fleet, shortLease } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf, waitForLanes } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const published = 6000

test('a worker killed in the middle costs repeats of what was answered since its last flush, and nothing else', async () => {
  await using fleet = await Fleet.start({ workers: 2, workerEnv: shortLease })
  await using endpoint = await Endpoint.start(() => ({ delayMs: 5 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  const lanes = await waitForLanes(fleet, useCase, topic.partitions)
  expect(new Set([...lanes.values()].map((lane) => lane.worker)).size).toBe(2)
  await topic.publish(jsonRecords(published))
  await waitUntil('a third is delivered', 20_000, () => endpoint.successes > published / 3)
  fleet.workers[0]!.kill('SIGKILL')
  const counts = await certificate(fleet, useCase, 60_000)
  expect(counts).toMatchObject({ published, delivered: published, missing: 0, onTheWay: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint, { crashed: true })
  expect(judged.problems).toEqual([])
  // Something was on its way: else the kill has come at the wrong moment and the test says nothing.
  expect(judged.lostRows).toBeGreaterThan(0)
  expect(judged.repeats).toBeGreaterThan(0)
  expect(judged.repeats).toBeLessThanOrEqual(judged.lostRows)
  expect(judged.repeatsOfLogged).toBe(0)
  // VerifyRange knows only the successes that the log has, and the log has one of each.
  expect(counts.repeated).toBe(0)
}, 120_000)

test('a worker killed in the middle breaks no order of keys', async () => {
  await using fleet = await Fleet.start({ workers: 2, workerEnv: shortLease })
  await using endpoint = await Endpoint.start(({ offset, attempt }) => ({
    delayMs: 3,
    status: offset % 10 === 0 && attempt === 1 ? 503 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  const delivery = { ordering: Ordering.KEY, maxInFlight: 64 }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery }))
  await waitForLanes(fleet, useCase, topic.partitions)
  await topic.publish(jsonRecords(published, { keys: 400 }))
  await waitUntil('a third is delivered', 20_000, () => endpoint.successes > published / 3)
  fleet.workers[1]!.kill('SIGKILL')
  const counts = await certificate(fleet, useCase, 60_000)
  expect(counts).toMatchObject({ published, delivered: published, missing: 0, onTheWay: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint, { crashed: true })
  expect(judged.problems).toEqual([])
  expect(judged.lostRows).toBeGreaterThan(0)
}, 120_000)

test('all workers killed at once: the next one finishes the work', async () => {
  await using fleet = await Fleet.start({ workers: 1, workerEnv: shortLease })
  await using endpoint = await Endpoint.start(({ offset, attempt }) => ({
    delayMs: 5,
    status: offset % 5 === 0 && attempt < 3 ? 503 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(2000))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  await waitUntil('some are delivered', 20_000, () => endpoint.successes > 500)
  fleet.workers[0]!.kill('SIGKILL')
  await fleet.startWorker()
  const counts = await certificate(fleet, useCase, 60_000)
  expect(counts).toMatchObject({ published: 2000, delivered: 2000, missing: 0, onTheWay: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint, { crashed: true })
  expect(judged.problems).toEqual([])
  expect(judged.repeatsOfLogged).toBe(0)
}, 120_000)
