import { expect, test } from 'vitest'
import { Outcome, Reason } from '../proto/gen/ferry/v1/delivery_pb.ts'
import { LaneCondition } from '../proto/gen/ferry/v1/lane_pb.ts'
import { Ordering } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { SampleRegistry } from '../worker/schemas/sample-registry.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { encodeOrder, orderFile } from './harness/order-message.ts'
import { type Publication, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const registry = await SampleRegistry.start()
const env = {
  FERRY_SCHEMA_REGISTRY_URLS: registry.url,
  FERRY_SCHEMA_REGISTRY_TOKEN: 'token-of-ferry',
  FERRY_SCHEMA_REGISTRY_TIMEOUT: '500ms',
}
const fleetOf = fleetOfFile({ workers: 1, controlPlaneEnv: env, workerEnv: env })

const decode = { format: { case: 'schemaRegistry', value: {} } } as const
const withId = (id: number, ...rest: Buffer[]): Buffer => Buffer.concat([Buffer.from([0, 0, 0, 0, id]), ...rest])

registry.versions.set('money/1', { schema: '{"type":"record","name":"x.Money","fields":[{"name":"cents","type":"long"}]}' })
registry.ids.set(1, {
  schema: '{"type":"record","name":"x.Order","fields":[{"name":"total","type":"x.Money"}]}',
  references: [{ name: 'x.Money', subject: 'money', version: 1 }],
})
registry.ids.set(2, {
  schemaType: 'PROTOBUF',
  schema: 'syntax = "proto3";',
  serialized: Buffer.from(orderFile()).toString('base64'),
})
registry.ids.set(3, { schemaType: 'JSON', schema: '{"type":"object"}' })
registry.ids.set(9, { schema: '"long"' })

test('Avro, protobuf and JSON arrive by the schemas that their ids name; what has none ends FAILED', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const values = [
    withId(1, Buffer.from([10])),
    withId(2, Buffer.from([0]), encodeOrder(7, 'Ada', [])),
    withId(3, Buffer.from('{"a":1}')),
    withId(4),
    Buffer.from('{"a":1}'),
  ]
  await topic.publish(values.map((value) => ({ value })))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { decode }))
  expect(await certificate(fleet, useCase, 30_000)).toMatchObject({
    published: 5,
    delivered: 3,
    failed: 2,
    missing: 0,
  })
  expect((await judge(fleet, useCase, topic, endpoint)).problems).toEqual([])
  expect(endpoint.requests.map((each) => each.body).sort()).toEqual([
    '{"a":1}',
    '{"id":"7","customerName":"Ada"}',
    '{"total":{"cents":"5"}}',
  ])
  const { attempts } = await fleet.client.deliveries.listAttempts({
    useCase: useCase.name,
    filter: { outcomes: [Outcome.FAILED] },
  })
  expect(attempts.map((each) => each.reason)).toEqual([Reason.DECODE_FAILED, Reason.DECODE_FAILED])
  const errors = attempts.map((each) => each.error).join('\n')
  expect(errors).toMatch(/schema 4 is not in the registry: .* answered 404 \(40403\)/)
  expect(errors).toContain('no schema id: a value begins with byte 0 and an id of four bytes; this one begins with byte 123')
  expect(registry.headers.authorization).toBe('Bearer token-of-ferry')
  const options = { avroOptions: { longAsNumber: true }, protobufOptions: { useProtoFieldName: true } }
  const other = { format: { case: 'schemaRegistry', value: options } } as const
  await certificate(fleet, await registerUseCase(fleet, specOf(topic, endpoint, { decode: other })), 30_000)
  const printed = endpoint.requests.slice(3).map((each) => each.body)
  expect(printed.sort()).toEqual(['{"a":1}', '{"id":"7","customer_name":"Ada"}', '{"total":{"cents":5}}'])
})

test('while the registry is away records of known schemas go on, the others wait and nothing is FAILED', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const [known, unknown] = [withId(3, Buffer.from('{"a":1}')), withId(9, Buffer.from([2]))]
  const publish = (all: readonly Publication[]): Promise<unknown> => topic.publish(all)
  await publish([{ key: 'a', value: known }])
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { decode, delivery: { ordering: Ordering.KEY } }))
  await certificate(fleet, useCase, 30_000)
  await registry.down()
  // What comes later under the key of one that waits stays behind it.
  await publish([{ key: 'a', value: unknown }, ...Array(20).fill({ key: 'b', value: known }), { key: 'a', value: known }])
  await waitUntil('the others are delivered', 20_000, async () => endpoint.requests.length === 21)
  await waitUntil('its lane says that the registry is away', 20_000, async () => {
    const { lanes } = await fleet.client.fleet.listLanes({ useCase: useCase.name })
    return lanes.some(
      ({ condition, message }) =>
        condition === LaneCondition.SCHEMAS_UNAVAILABLE && /schema registry default: .*ECONNREFUSED/.test(message),
    )
  })
  expect(endpoint.requests).toHaveLength(21)
  await registry.up()
  expect(await certificate(fleet, useCase, 40_000)).toMatchObject({
    published: 23,
    delivered: 23,
    failed: 0,
    attempts: 23,
    missing: 0,
  })
  expect((await judge(fleet, useCase, topic, endpoint)).problems).toEqual([])
  expect(endpoint.requests.slice(-2).map((each) => each.body)).toEqual(['"1"', '{"a":1}'])
})

test('a registry that nobody has configured is refused at registration', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const other = { format: { case: 'schemaRegistry', value: { registry: 'west' } } } as const
  await expect(registerUseCase(fleet, specOf(topic, endpoint, { decode: other }))).rejects.toThrow(
    /must be a configured schema registry \(default\); given "west"/,
  )
})
