import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Ordering } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { Fleet } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { Load } from './harness/load.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf, waitForLanes, waitForPause } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

test('a Kafka that is killed under load, and comes back, costs nothing: no loss, no repeat, keys in order', async () => {
  await using fleet = await Fleet.start({ ownKafka: true, workers: 2 })
  await using endpoint = await Endpoint.start(({ offset, attempt }) => ({
    delayMs: 5,
    status: offset % 5 === 0 && attempt === 1 ? 503 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  const delivery = { ordering: Ordering.KEY, maxInFlight: 16 }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery }))
  await waitForLanes(fleet, useCase, topic.partitions)
  const load = Load.start(topic, 600, 300)
  await waitUntil('delivery has begun', 30_000, () => endpoint.successes > 500)
  await load.stop()
  await fleet.own.kafka.kill()
  await sleep(1000)
  await fleet.own.kafka.start()
  await topic.publish(jsonRecords(500, { keys: 300, from: 100_000 }))
  const counts = await certificate(fleet, useCase, 60_000)
  const published = [...(await topic.endOffsets()).values()].reduce((sum, end) => sum + end, 0)
  expect(counts).toMatchObject({ published, delivered: published, missing: 0, onTheWay: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.repeats).toBe(0)
}, 120_000)

test('partitions that are added later are read from their beginning', async () => {
  await using fleet = await Fleet.start({ workers: 2 })
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(100))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  await certificate(fleet, useCase, 30_000)
  await topic.admin.createPartitions({ topicPartitions: [{ topic: topic.name, count: 3 }] })
  // A producer that knew the topic before would leave out what is for partitions it does not know.
  await using later = await topic.reopen(3)
  await later.publish([1, 2].map((partition) => ({ value: `{"partition":${partition}}`, partition })))
  const counts = await certificate(fleet, useCase, 30_000)
  expect(counts).toMatchObject({ published: 102, delivered: 102, missing: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
}, 90_000)

test('records that Kafka forgot before they were read are a hole with a reason, and the lane goes on', async () => {
  await using fleet = await Fleet.start({ workers: 1 })
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  await waitForLanes(fleet, useCase, 1)
  await topic.publish(jsonRecords(50))
  await certificate(fleet, useCase, 20_000)
  await fleet.client.useCases.pauseUseCase({ name: useCase.name, reason: 'for longer than the retention' })
  await waitForPause(fleet, useCase)
  await topic.publish(jsonRecords(100, { from: 50 }))
  await topic.forgetBelow(0, 120)
  await fleet.client.useCases.resumeUseCase({ name: useCase.name })
  const counts = await certificate(fleet, useCase, 30_000)
  expect(counts).toMatchObject({ offsets: 150, published: 80, holes: 70, delivered: 80, missing: 0, onTheWay: 0, repeated: 0 })
  const ranges = await fleet.sql.rows(`SELECT kind, runs FROM ranges WHERE uid = '${useCase.uid}' AND kind = 'RETENTION'`)
  expect(ranges).toEqual([{ kind: 'RETENTION', runs: [[50, 119]] }])
}, 90_000)
