import { expect, test } from 'vitest'
import { Ordering } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { Fleet } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { Load } from './harness/load.ts'
import { Topic } from './harness/topic.ts'
import { registerUseCase, specOf, waitForLanes } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

test('a worker that is told to stop under load drains, exits 0, another is taken out by DrainWorker, and nothing is repeated', async () => {
  await using fleet = await Fleet.start({ workers: 2 })
  await using endpoint = await Endpoint.start(({ offset, attempt }) => ({
    delayMs: 5,
    status: offset % 7 === 0 && attempt === 1 ? 503 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  await waitForLanes(fleet, useCase, topic.partitions)
  const load = Load.start(topic, 800)
  await waitUntil('delivery has begun', 20_000, () => endpoint.successes > 500)
  const [first] = fleet.workers
  first!.kill('SIGTERM')
  expect(await first!.waitExit(20_000)).toEqual({ code: 0, signal: null })
  const atExit = endpoint.successes
  await waitUntil('delivery goes on without it', 20_000, () => endpoint.successes > atExit + 500)
  const [second] = (await fleet.client.fleet.listWorkers({})).workers.filter(({ draining }) => !draining)
  await fleet.startWorker()
  await fleet.client.fleet.drainWorker({ instance: second!.instance, reason: 'its host is replaced' })
  await waitUntil('it has no lanes, and goes on', 20_000, async () => {
    const { workers } = await fleet.client.fleet.listWorkers({})
    return workers.some(({ instance, draining, lanes }) => instance === second!.instance && draining && lanes === 0)
  })
  const atDrain = endpoint.successes
  await waitUntil('delivery goes on', 20_000, () => endpoint.successes > atDrain + 500)
  const published = await load.stop()
  const counts = await certificate(fleet, useCase, 60_000)
  expect(counts).toMatchObject({ published, delivered: published, missing: 0, onTheWay: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.repeats).toBe(0)
}, 120_000)

test('a deploy under load, every worker replaced one after the other, repeats nothing and keeps the order of keys', async () => {
  await using fleet = await Fleet.start({ workers: 2 })
  await using endpoint = await Endpoint.start(() => ({ delayMs: 3 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  const delivery = { ordering: Ordering.KEY, maxInFlight: 32 }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery }))
  await waitForLanes(fleet, useCase, topic.partitions)
  const load = Load.start(topic, 800, 500)
  for (const old of [...fleet.workers]) {
    const before = endpoint.successes
    await waitUntil('delivery goes on', 20_000, () => endpoint.successes > before + 300)
    await fleet.startWorker()
    old.kill('SIGTERM')
    expect(await old.waitExit(20_000)).toEqual({ code: 0, signal: null })
  }
  const published = await load.stop()
  const counts = await certificate(fleet, useCase, 60_000)
  expect(counts).toMatchObject({ published, delivered: published, missing: 0, onTheWay: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.repeats).toBe(0)
}, 120_000)
