import { expect, test } from 'vitest'
import { Ordering } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'

const fleetOf = fleetOfFile({ workers: 2 })

const delivery = { ordering: Ordering.PARTITION, maxInFlight: 32 }

test('records of a partition go one after the other, whatever their keys, also while some are tried again', async () => {
  const fleet = fleetOf()
  // Every tenth record fails once.
  await using endpoint = await Endpoint.start(({ offset, attempt }) => ({
    status: offset % 10 === 0 && attempt === 1 ? 503 : 200,
    delayMs: offset % 3,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 3)
  await topic.publish(jsonRecords(300, { keys: 20 }))
  await topic.publish(jsonRecords(100))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery }))
  const counts = await certificate(fleet, useCase, 60_000)
  expect(counts).toMatchObject({ published: 400, delivered: 400, missing: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.repeats).toBe(0)
  expect(judged.requests).toBeGreaterThan(435)
})

test('a record that is tried again holds up its partition, and no other; what follows is not even read into the lane', async () => {
  const fleet = fleetOf()
  let isHealed = false
  await using endpoint = await Endpoint.start(({ partition, offset }) => ({
    status: partition === 0 && offset === 5 && !isHealed ? 503 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(400))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery }))
  const ends = await topic.endOffsets()
  await expect.poll(() => endpoint.delivered, { timeout: 20_000 }).toBe(5 + ends.get(1)!)
  const parked = async (): Promise<number> =>
    Number(
      (await fleet.client.deliveries.getLag({ useCase: useCase.name })).partitions.find((each) => each.partition === 0)!.parked,
    )
  await expect.poll(parked, { timeout: 10_000 }).toBe(1)
  expect(endpoint.requests.filter((each) => each.partition === 0 && each.offset > 5)).toEqual([])
  isHealed = true
  expect(await certificate(fleet, useCase, 60_000)).toMatchObject({ published: 400, delivered: 400, missing: 0, repeated: 0 })
  expect((await judge(fleet, useCase, topic, endpoint)).problems).toEqual([])
})
