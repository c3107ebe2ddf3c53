import { expect, test } from 'vitest'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'

const fileFleet = fleetOfFile({ workers: 2 })

test('every record of a topic reaches the endpoint once', async () => {
  const fleet = fileFleet()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  await topic.publish(jsonRecords(3000))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  await topic.publish(jsonRecords(2000, { from: 3000 }))
  const counts = await certificate(fleet, useCase, 30_000)
  expect(counts).toMatchObject({ published: 5000, delivered: 5000, missing: 0, onTheWay: 0, repeated: 0, attempts: 5000 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged).toMatchObject({ records: 5000, requests: 5000, repeats: 0 })
})
