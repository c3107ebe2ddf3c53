import { expect, test } from 'vitest'
import { Outcome, Reason } from '../proto/gen/ferry/v1/delivery_pb.ts'
import { Ordering, TombstonePolicy } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { encodeOrder, orderDescriptorSet, orderMessageName } from './harness/order-message.ts'
import { Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'

const fleetOf = fleetOfFile({ workers: 1 })

test('text arrives as a JSON string; what is no UTF-8 ends FAILED', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish([{ value: 'Größe 12 "inch"' }, { value: Buffer.from([0x61, 0xff]) }, { value: '' }])
  const decode = { format: { case: 'text', value: {} } } as const
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { decode }))
  expect(await certificate(fleet, useCase, 20_000)).toMatchObject({ published: 3, delivered: 2, failed: 1, missing: 0 })
  expect((await judge(fleet, useCase, topic, endpoint)).problems).toEqual([])
  expect(endpoint.requests.map((each) => each.body).sort()).toEqual(['""', '"Größe 12 \\"inch\\""'])
  const filter = { outcomes: [Outcome.FAILED] }
  const { attempts } = await fleet.client.deliveries.listAttempts({ useCase: useCase.name, filter })
  expect(attempts).toMatchObject([{ reason: Reason.DECODE_FAILED, attempt: 0, error: 'no UTF-8 at byte 1: byte 0xff' }])
})

test('bytes arrive as a JSON string in base64', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish([{ value: Buffer.from([0xfb, 0xff, 0x00]) }])
  const decode = { format: { case: 'bytes', value: {} } } as const
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { decode }))
  expect(await certificate(fleet, useCase, 20_000)).toMatchObject({ published: 1, delivered: 1, missing: 0 })
  expect(endpoint.requests.map((each) => each.body)).toEqual(['"+/8A"'])
})

test('a tombstone is skipped, or arrives as null behind the record of its key, as the use case says', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish([
    { key: 'k', value: '{"id":1}' },
    { key: 'k', value: null },
  ])
  const delivery = { ordering: Ordering.KEY }
  const decode = { format: { case: 'json', value: {} }, tombstone: TombstonePolicy.DELIVER_NULL } as const
  const delivered = await registerUseCase(fleet, specOf(topic, endpoint, { decode, delivery }))
  expect(await certificate(fleet, delivered, 20_000)).toMatchObject({ published: 2, delivered: 2, skipped: 0, missing: 0 })
  expect(endpoint.requests.map((each) => each.body)).toEqual(['{"id":1}', 'null'])
  const skipped = await registerUseCase(
    fleet,
    specOf(topic, endpoint, { decode: { ...decode, tombstone: TombstonePolicy.SKIP } }),
  )
  expect(await certificate(fleet, skipped, 20_000)).toMatchObject({ published: 2, delivered: 1, skipped: 1, missing: 0 })
  expect(endpoint.requests).toHaveLength(3)
})

test('a protobuf message is printed as its JSON options say', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish([{ value: encodeOrder(0, 'Ada', []) }])
  const jsonOptions = { alwaysEmitImplicit: true, useProtoFieldName: true }
  const value = { descriptorSet: orderDescriptorSet(), message: orderMessageName, jsonOptions }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { decode: { format: { case: 'protobuf', value } } }))
  expect(await certificate(fleet, useCase, 20_000)).toMatchObject({ published: 1, delivered: 1, missing: 0 })
  expect(endpoint.requests.map((each) => each.body)).toEqual(['{"id":"0","customer_name":"Ada","prices":[]}'])
})

test('a body of more bytes than the use case allows ends FAILED with the numbers', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish([{ value: '{"id":1}' }, { value: '{"id":12345}' }])
  const decode = { format: { case: 'json', value: {} }, bodyBytesMax: 8n } as const
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { decode }))
  expect(await certificate(fleet, useCase, 20_000)).toMatchObject({ published: 2, delivered: 1, failed: 1, missing: 0 })
  const filter = { reasons: [Reason.BODY_TOO_LARGE] }
  const { attempts } = await fleet.client.deliveries.listAttempts({ useCase: useCase.name, filter })
  expect(attempts).toMatchObject([{ attempt: 0, offset: 1n, error: 'the value has 12 bytes, at most 8 are allowed' }])
})

test('an Avro record arrives as JSON by the schema that was registered; what does not fit it ends FAILED with the place', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const fields = [
    { name: 'id', type: 'long' },
    { name: 'name', type: ['null', 'string'] },
  ]
  const schema = JSON.stringify({ type: 'record', name: 'acme.Order', fields })
  await topic.publish([{ value: Buffer.from([2, 2, 6, 65, 100, 97]) }, { value: Buffer.from([2, 2, 6, 65]) }])
  const useCase = await registerUseCase(
    fleet,
    specOf(topic, endpoint, { decode: { format: { case: 'avro', value: { schema } } }, filter: 'value.name == "Ada"' }),
  )
  expect(await certificate(fleet, useCase, 20_000)).toMatchObject({ published: 2, delivered: 1, failed: 1, missing: 0 })
  expect(endpoint.requests.map((each) => each.body)).toEqual(['{"id":"1","name":"Ada"}'])
  const filter = { outcomes: [Outcome.FAILED] }
  const { attempts } = await fleet.client.deliveries.listAttempts({ useCase: useCase.name, filter })
  expect(attempts).toMatchObject([
    { reason: Reason.DECODE_FAILED, error: 'no acme.Order: 3 bytes are announced, 1 follow at byte 3, in name' },
  ])
  const jsonOptions = { longAsNumber: true, wrapUnions: true }
  const other = { format: { case: 'avro', value: { schema, jsonOptions } } } as const
  await certificate(fleet, await registerUseCase(fleet, specOf(topic, endpoint, { decode: other })), 20_000)
  expect(endpoint.requests.at(-1)!.body).toBe('{"id":1,"name":{"string":"Ada"}}')
})
