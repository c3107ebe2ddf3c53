import { expect, test } from 'vitest'
import { Ordering } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'

const fleetOf = fleetOfFile({ workers: 2 })

const delivery = { ordering: Ordering.KEY, maxInFlight: 32 }

test('records of a key go one after the other, also while many of them are tried again', async () => {
  const fleet = fleetOf()
  // Every third record fails once, every ninth twice.
  await using endpoint = await Endpoint.start(({ offset, attempt }) => ({
    status: (offset % 3 === 0 && attempt === 1) || (offset % 9 === 0 && attempt === 2) ? 503 : 200,
    delayMs: offset % 4,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  await topic.publish(jsonRecords(1500, { keys: 200 }))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery }))
  await topic.publish(jsonRecords(500, { keys: 200, from: 1500 }))
  const counts = await certificate(fleet, useCase, 50_000)
  expect(counts).toMatchObject({ published: 2000, delivered: 2000, missing: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.repeats).toBe(0)
  expect(judged.requests).toBeGreaterThan(2700)
})

test('a key that waits lets other keys pass, and goes on in its own order', async () => {
  const fleet = fleetOf()
  let isHealed = false
  await using endpoint = await Endpoint.start(({ body }) => ({ status: JSON.parse(body).id % 50 === 0 && !isHealed ? 503 : 200 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(1000, { keys: 50 }))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery }))
  // k0 stands still: all of its 20 records wait, and the other 980 get through.
  await expect.poll(() => endpoint.delivered, { timeout: 20_000 }).toBe(980)
  await expect
    .poll(async () => Number((await fleet.client.deliveries.getLag({ useCase: useCase.name })).parked), { timeout: 10_000 })
    .toBe(20)
  isHealed = true
  const counts = await certificate(fleet, useCase, 30_000)
  expect(counts).toMatchObject({ published: 1000, delivered: 1000, missing: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
})

test('a record that fails for good lets the next of its key go', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start(({ body }) => ({ status: JSON.parse(body).id % 100 === 7 ? 422 : 200 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(500, { keys: 10 }))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery }))
  const counts = await certificate(fleet, useCase, 30_000)
  expect(counts).toMatchObject({ published: 500, delivered: 495, failed: 5, missing: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.requests).toBe(500)
})
