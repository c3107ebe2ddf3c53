import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError } from '@connectrpc/connect'
import { expect, test } from 'vitest'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const fleetOf = fleetOfFile({ workers: 2 })

test('a fixed URL holds for what already waits', async () => {
  const fleet = fleetOf()
  // Half of it fails there, so that the breaker stays closed and much waits.
  await using wrong = await Endpoint.start(({ offset }) => ({ status: offset % 2 === 0 ? 503 : 200 }))
  await using right = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(400).map((each, index) => ({ ...each, partition: index % 2 })))
  const retry = { initialInterval: durationFromMs(3000), jitterRatio: 0.5 }
  const useCase = await registerUseCase(fleet, specOf(topic, wrong, { retry }))
  await waitUntil('half of it waits', 20_000, async () => {
    const { parked } = await fleet.client.deliveries.getLag({ useCase: useCase.name })
    return wrong.successes === 200 && parked === 200n
  })
  const { useCase: fixed } = await fleet.client.useCases.updateUseCase({
    useCase: { name: useCase.name, etag: useCase.etag, spec: { destination: { url: right.url } } },
    updateMask: { paths: ['spec.destination.url'] },
  })
  expect(fixed).toMatchObject({ uid: useCase.uid, revision: useCase.revision + 1n })
  expect(fixed!.spec!.destination!.url).toBe(right.url)
  const counts = await certificate(fleet, useCase, 30_000)
  expect(counts).toMatchObject({ published: 400, delivered: 400, missing: 0, repeated: 0 })
  expect(right.requests).toHaveLength(200)
  expect(right.requests.every((each) => each.attempt > 1)).toBe(true)
  const judged = await judge(fleet, useCase, topic, [wrong, right])
  expect(judged.problems).toEqual([])
  expect(judged.repeats).toBe(0)
  const rows = await fleet.sql.rows(`SELECT revision, url, count() AS rows FROM attempts
    WHERE uid = '${useCase.uid}' AND outcome = 'DELIVERED' GROUP BY ALL ORDER BY revision`)
  expect(rows).toEqual([
    { revision: 1, url: wrong.url, rows: 200 },
    { revision: 2, url: right.url, rows: 200 },
  ])
})

test('an update under load repeats nothing', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start(() => ({ delayMs: 5 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  await topic.publish(jsonRecords(3000))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  for (let round = 1; round <= 3; round++) {
    await waitUntil('delivery goes on', 20_000, () => endpoint.successes > round * 500)
    const destination = { url: endpoint.url, headers: { 'x-round': String(round) } }
    await fleet.client.useCases.updateUseCase({
      useCase: { name: useCase.name, spec: { destination } },
      updateMask: { paths: ['spec.destination'] },
    })
  }
  const counts = await certificate(fleet, useCase, 30_000)
  expect(counts).toMatchObject({ published: 3000, delivered: 3000, missing: 0, repeated: 0, attempts: 3000 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.repeats).toBe(0)
  expect(endpoint.requests.some((each) => each.headers['x-round'] === '3')).toBe(true)
})

test('an update of what somebody has changed meanwhile is refused, and one with allow_missing creates', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const { useCases } = fleet.client
  const name = 'namespaces/e2e/useCases/made-by-update'
  const spec = specOf(topic, endpoint)
  const created = await useCases.updateUseCase({ useCase: { name, spec }, allowMissing: true })
  expect(created.useCase!.revision).toBe(1n)
  // A deploy that registers the same again changes nothing.
  const again = await useCases.updateUseCase({ useCase: { name, spec }, allowMissing: true })
  expect(again.useCase).toMatchObject({ uid: created.useCase!.uid, revision: 1n, etag: created.useCase!.etag })
  const description = 'somebody else was here'
  await useCases.updateUseCase({ useCase: { name, spec: { description } }, updateMask: { paths: ['spec.description'] } })
  const stale = useCases.updateUseCase({ useCase: { name, spec, etag: created.useCase!.etag } })
  const error = await stale.catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ConnectError)
  expect((error as ConnectError).code).toBe(Code.Aborted)
})
