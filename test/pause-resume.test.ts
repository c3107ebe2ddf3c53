import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { UseCaseState } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf, waitForPause } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const fleetOf = fleetOfFile({ workers: 2 })

test('a use case paused and resumed under load sends nothing meanwhile, and repeats nothing', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start(({ offset, attempt }) => ({
    delayMs: 5,
    status: offset % 7 === 0 && attempt === 1 ? 503 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery: { maxInFlight: 16 } }))
  await topic.publish(jsonRecords(3000))
  for (const share of [0.2, 0.5]) {
    await waitUntil(`${share} of it is delivered`, 30_000, () => endpoint.successes > 3000 * share)
    const { useCase: paused } = await fleet.client.useCases.pauseUseCase({ name: useCase.name, reason: 'a test looks' })
    expect(paused!.status).toMatchObject({ state: UseCaseState.PAUSED, pauseReason: 'a test looks' })
    await waitForPause(fleet, useCase)
    const atPause = endpoint.requests.length
    await topic.publish(jsonRecords(100))
    // Records are read at once when lanes run: other use cases on the same workers show that these do.
    await using probe = await Endpoint.start()
    const running = await registerUseCase(fleet, specOf(topic, probe))
    await certificate(fleet, running, 30_000)
    expect(endpoint.requests.length).toBe(atPause)
    await fleet.client.useCases.resumeUseCase({ name: useCase.name })
  }
  const counts = await certificate(fleet, useCase, 40_000)
  expect(counts).toMatchObject({ published: 3200, delivered: 3200, missing: 0, onTheWay: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.repeats).toBe(0)
}, 90_000)

test('a pause with an end resumes by itself, not before', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  const untilMs = Date.now() + 3000
  const until = timestampFromMs(untilMs)
  await fleet.client.useCases.pauseUseCase({ name: useCase.name, reason: 'for three seconds', until })
  await waitForPause(fleet, useCase)
  await topic.publish(jsonRecords(200))
  expect(await certificate(fleet, useCase, 30_000)).toMatchObject({ published: 200, delivered: 200, missing: 0, repeated: 0 })
  expect(Math.min(...endpoint.requests.map((each) => each.arrivedMs))).toBeGreaterThanOrEqual(untilMs)
  const { useCase: resumed } = await fleet.client.useCases.getUseCase({ name: useCase.name })
  expect(resumed!.status!.state).toBe(UseCaseState.ACTIVE)
})
