import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { LaneCondition } from '../proto/gen/ferry/v1/lane_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { Fleet } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { Load } from './harness/load.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf, waitForLanes } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

test('while ClickHouse is away delivery goes on, and afterwards the log is complete', async () => {
  await using fleet = await Fleet.start({ ownClickhouse: true, workers: 2 })
  await using endpoint = await Endpoint.start(({ offset, attempt }) => ({
    delayMs: 5,
    status: offset % 5 === 0 && attempt === 1 ? 503 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery: { maxInFlight: 8 } }))
  await waitForLanes(fleet, useCase, topic.partitions)
  const load = Load.start(topic, 500)
  await waitUntil('delivery has begun', 30_000, () => endpoint.successes > 500)
  await fleet.own.clickhouse.kill()
  const atKill = endpoint.successes
  await sleep(3000)
  expect(endpoint.successes).toBeGreaterThan(atKill + 200)
  await fleet.own.clickhouse.start()
  const published = await load.stop()
  const counts = await certificate(fleet, useCase, 50_000)
  expect(counts).toMatchObject({ published, delivered: published, missing: 0, onTheWay: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.repeats).toBe(0)
}, 90_000)

test('without a spool, when the buffer is full requests stop and the lane says why; afterwards nothing is missing or repeated', async () => {
  const workerEnv = { FERRY_LOG_BATCHES_MAX: '2', FERRY_LOG_BATCH_BYTES: '64KiB', FERRY_SPOOL: 'off' }
  await using fleet = await Fleet.start({ ownClickhouse: true, workers: 1, workerEnv })
  await using endpoint = await Endpoint.start(() => ({ delayMs: 2 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery: { maxInFlight: 16 } }))
  await waitForLanes(fleet, useCase, topic.partitions)
  await fleet.own.clickhouse.kill()
  await topic.publish(jsonRecords(3000))
  await waitUntil('the lanes say that the log is away', 20_000, async () => {
    const { lanes } = await fleet.client.fleet.listLanes({ useCase: useCase.name })
    return lanes.every((lane) => lane.condition === LaneCondition.LOG_UNAVAILABLE)
  })
  const stopped = endpoint.requests.length
  await sleep(1000)
  expect(endpoint.requests.length).toBe(stopped)
  expect(stopped).toBeGreaterThan(0)
  expect(stopped).toBeLessThan(3000)
  await fleet.own.clickhouse.start()
  const counts = await certificate(fleet, useCase, 50_000)
  expect(counts).toMatchObject({ published: 3000, delivered: 3000, missing: 0, onTheWay: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.repeats).toBe(0)
}, 90_000)
