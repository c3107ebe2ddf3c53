import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { LaneCondition } from '../proto/gen/ferry/v1/lane_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const fleetOf = fleetOfFile({ workers: 2 })

const downMs = 20_000

test('an endpoint that is down for 20 s loses nothing and turns nothing into FAILED, and no other use case feels it', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start(() => ({ delayMs: 5 }))
  await using other = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  const retry = { initialInterval: durationFromMs(100), maximumInterval: durationFromMs(1000) }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { retry, delivery: { maxInFlight: 32 } }))
  const neighbour = await registerUseCase(fleet, specOf(topic, other))
  await topic.publish(jsonRecords(3000))
  await waitUntil('a tenth is delivered', 20_000, () => endpoint.successes > 300)
  await endpoint.goDown()
  const upAt = performance.now() + downMs
  const before = endpoint.successes
  await waitUntil('its lanes say that the breaker is open', 15_000, async () => {
    const { lanes } = await fleet.client.fleet.listLanes({ useCase: useCase.name })
    return lanes.every((lane) => lane.condition === LaneCondition.BREAKER_OPEN)
  })
  await topic.publish(jsonRecords(1000, { from: 3000 }))
  expect(await certificate(fleet, neighbour, 15_000)).toMatchObject({ published: 4000, delivered: 4000, missing: 0, repeated: 0 })
  await waitUntil('20 s are over', downMs + 1000, () => performance.now() > upAt)
  expect(endpoint.successes).toBe(before)
  await endpoint.goUp()
  const counts = await certificate(fleet, useCase, 60_000)
  // A refused connection never reached the endpoint: the log has those attempts, with no status.
  expect(counts).toMatchObject({ published: 4000, delivered: 4000, failed: 0, missing: 0, onTheWay: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.repeats).toBe(0)
  const refused = await fleet.sql.number(
    `SELECT count() FROM attempts WHERE uid = '${useCase.uid}' AND status = 0 AND outcome = 'RETRY'`,
  )
  expect(refused).toBeGreaterThan(0)
  expect(counts.attempts).toBe(judged.attempts)
  const neighbourly = await judge(fleet, neighbour, topic, other)
  expect(neighbourly.problems).toEqual([])
  expect(neighbourly).toMatchObject({ requests: 4000, repeats: 0 })
}, 120_000)

test('an outage that outlasts the retry policy ends only as many deliveries as earlier successes pay for', async () => {
  const fleet = fleetOf()
  let isDown = false
  await using endpoint = await Endpoint.start(() => ({ status: isDown ? 500 : 200 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  const retry = { initialInterval: durationFromMs(50), maximumInterval: durationFromMs(200), maxRetries: 1 }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { retry }))
  await topic.publish(jsonRecords(200))
  await waitUntil('it has worked for a while', 20_000, () => endpoint.successes === 200)
  isDown = true
  await topic.publish(jsonRecords(800, { from: 200 }))
  await waitUntil('probes fail', 20_000, () => endpoint.requests.length >= 200 + 24)
  const downSince = performance.now()
  await waitUntil('it was down for four seconds', 5000, () => performance.now() > downSince + 4000)
  isDown = false
  const counts = await certificate(fleet, useCase, 60_000)
  expect(counts).toMatchObject({ published: 1000, missing: 0, onTheWay: 0, repeated: 0 })
  // The whole use case has a credit of 100, and giving up costs 10.
  expect(counts.failed).toBeLessThanOrEqual(10)
  expect(counts.delivered).toBe(1000 - counts.failed)
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
}, 90_000)
