import { timestampDate } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { Outcome } from '../proto/gen/ferry/v1/delivery_pb.ts'
import { StartPosition } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { metricOf } from './harness/metric.ts'
import { encodeOrder, orderDescriptorSet, orderMessageName } from './harness/order-message.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'

const fleetOf = fleetOfFile({ workers: 2 })

test('every record of a topic reaches the endpoint once, also those that are published later', async () => {
  const fleet = fleetOf()
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
  expect(new Set(endpoint.requests.map((each) => each.epoch)).size).toBeGreaterThan(0)
})

test('a request says which record and which attempt it is, and carries its trace on', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start(() => ({ status: 201, headers: { 'x-answer': 'a' }, body: '{"taken":true}' }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await topic.publish([{ key: 'k', value: '{"id": 1,  "spaced": true}', headers: { traceparent } }])
  const destination = { url: endpoint.url, headers: { 'x-team': 'blue' } }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { destination }))
  await certificate(fleet, useCase, 20_000)
  const [request] = endpoint.requests
  const [, namespace, , id] = useCase.name.split('/')
  expect(request).toMatchObject({ method: 'POST', path: '/hook', body: '{"id": 1,  "spaced": true}' })
  expect(request!.headers).toMatchObject({
    'content-type': 'application/json',
    'idempotency-key': `${useCase.uid}/default/${topic.name}/0/0`,
    'ferry-use-case': `${namespace}/${id}`,
    'ferry-record': `${topic.name}/0/0`,
    ...{ 'x-team': 'blue', traceparent },
  })
  const { attempts } = await fleet.client.deliveries.listAttempts({ useCase: useCase.name })
  expect(attempts).toHaveLength(1)
  expect(attempts[0]).toMatchObject({
    outcome: Outcome.DELIVERED,
    status: 201,
    key: 'k',
    url: endpoint.url,
    attempt: 1,
    round: 0,
  })
  expect(attempts[0]).toMatchObject({ requestBody: request!.body, responseBody: '{"taken":true}' })
  expect(attempts[0]!.responseHeaders['x-answer']).toBe('a')
  expect(attempts[0]!.requestHeaders).toMatchObject({ 'ferry-record': `${topic.name}/0/0`, 'x-team': 'blue' })
  expect(Math.abs(timestampDate(attempts[0]!.attemptTime!).getTime() - request!.arrivedMs)).toBeLessThan(2000)
})

test('protobuf records arrive as canonical JSON', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(
    Array.from({ length: 500 }, (_, id) => ({ key: `k${id}`, value: encodeOrder(id, `Größe ${id}`, [id / 4, 1]) })),
  )
  const value = { descriptorSet: orderDescriptorSet(), message: orderMessageName }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { decode: { format: { case: 'protobuf', value } } }))
  expect(await certificate(fleet, useCase, 20_000)).toMatchObject({ published: 500, delivered: 500, missing: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  const bodies = endpoint.requests.map((each) => JSON.parse(each.body)).sort((a, b) => Number(a.id ?? 0) - Number(b.id ?? 0))
  expect(bodies[0]).toEqual({ customerName: 'Größe 0', prices: [0, 1] })
  expect(bodies[7]).toEqual({ id: '7', customerName: 'Größe 7', prices: [1.75, 1] })
  expect(new Set(bodies.map((each) => each.id)).size).toBe(500)
})

test('tombstones are skipped, and what a transaction leaves behind is a hole', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(10, { keys: 10 }))
  await topic.publish([{ key: 'k3', value: null }])
  await topic.publishTransaction(jsonRecords(5, { from: 10 }), 'commit')
  await topic.publishTransaction(jsonRecords(4, { from: 20 }), 'abort')
  await topic.publish(jsonRecords(1, { from: 30 }))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  const counts = await certificate(fleet, useCase, 20_000)
  // A marker for each transaction, and the four aborted records.
  expect(counts).toMatchObject({ offsets: 23, published: 17, holes: 6, delivered: 16, skipped: 1, missing: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged).toMatchObject({ holes: 6, requests: 16, outcomes: { DELIVERED: 16, SKIPPED: 1, FAILED: 0, SUPERSEDED: 0 } })
  // One lane, so one worker has counted all of it.
  const [, namespace, , use_case] = useCase.name.split('/')
  const counted = async (name: string, labels: object): Promise<number> => {
    const found = fleet.workers.map((worker) => metricOf(worker, name, { namespace: namespace!, use_case: use_case!, ...labels }))
    return Math.max(...(await Promise.all(found)))
  }
  expect(await counted('ferry_deliveries_total', { outcome: 'delivered' })).toBe(16)
  expect(await counted('ferry_attempts_total', { class: '2xx' })).toBe(16)
  expect(await counted('ferry_skipped_records_total', { kind: 'tombstone' })).toBe(1)
  expect(await counted('ferry_skipped_records_total', { kind: 'transaction' })).toBe(6)
  expect(await counted('ferry_request_duration_seconds_count', {})).toBe(16)
  expect(await counted('ferry_delivery_duration_seconds_count', {})).toBe(16)
})

test('a use case that starts at the end gets what is published after it was registered, and nothing else', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(100))
  const source = { topic: topic.name, start: { case: 'position', value: StartPosition.LATEST } } as const
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { source }))
  await topic.publish(jsonRecords(50, { from: 100 }))
  expect(await certificate(fleet, useCase, 20_000)).toMatchObject({ published: 50, delivered: 50, missing: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged).toMatchObject({ records: 150, beforeStart: 100, requests: 50 })
  expect(endpoint.requests.map((each) => JSON.parse(each.body).id).every((id) => id >= 100)).toBe(true)
})
