import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { Outcome, Reason } from '../proto/gen/ferry/v1/delivery_pb.ts'
import { PreviewVerdict } from '../proto/gen/ferry/v1/preview_pb.ts'
import { type TransformStep, TransformStepSchema } from '../proto/gen/ferry/v1/transform_pb.ts'
import { Ordering } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { createBatch, waitForBatch } from './harness/retry-batch.ts'
import { Topic } from './harness/topic.ts'
import { newName, registerUseCase, specOf } from './harness/use-case.ts'

const keys = { FERRY_SECRET_KEYS: `one:${Buffer.alloc(32, 7).toString('base64')}` }
const fleetOf = fleetOfFile({ workers: 1, controlPlaneEnv: keys, workerEnv: { ...keys, FERRY_JSONATA_MEMORY_MAX: '64MiB' } })

const step = (json: JsonValue): TransformStep => fromJson(TransformStepSchema, json)
const bodiesOf = (endpoint: Endpoint): string[] => endpoint.requests.map(({ body }) => body.toString()).sort()

test.concurrent('renamed columns arrive, with every digit; what cannot be transformed is FAILED, and is sent by a mended transform', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const values = ['{"cust_id":9007199254740993,"amt":"12.50"}', '{"cust_id":2,"amt":"twelve"}', '{"cust_id": 3, "more" : [ 1 ]}']
  await topic.publish(values.map((value) => ({ value: Buffer.from(value) })))
  const move = step({ move: { fields: { cust_id: 'customer.id', amt: 'amount' } } })
  const cast = step({ cast: { fields: ['amount'], to: 'CAST_TYPE_NUMBER' } })
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { transform: [move, cast] }))
  expect(await certificate(fleet, useCase, 30_000)).toMatchObject({ delivered: 2, failed: 1, missing: 0 })
  expect(bodiesOf(endpoint)).toEqual([
    '{"amount":12.50,"customer":{"id":9007199254740993}}',
    '{"more":[ 1 ],"customer":{"id":3}}',
  ])
  const { attempts } = await fleet.client.deliveries.listAttempts({
    useCase: useCase.name,
    filter: { outcomes: [Outcome.FAILED] },
  })
  expect(attempts).toMatchObject([
    {
      ...{ offset: 1n, attempt: 0, reason: Reason.TRANSFORM_FAILED },
      error: 'the transform fails at step 2 (cast): amount is "twelve", which is not a number',
    },
  ])
  await fleet.client.useCases.updateUseCase({
    useCase: { name: useCase.name, spec: { transform: [move] } },
    updateMask: { paths: ['spec.transform'] },
  })
  await waitForBatch(fleet, (await createBatch(fleet, useCase)).name, 40_000)
  expect(await certificate(fleet, useCase, 20_000)).toMatchObject({ delivered: 3, failed: 0, missing: 0, repeated: 0 })
  expect(bodiesOf(endpoint)).toContain('{"amount":"twelve","customer":{"id":2}}')
})

test.concurrent('JSONata makes bodies anew in a process of its own; who takes all its memory fails alone, and order is kept', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const values = Array.from({ length: 200 }, (_, n) => ({
    n,
    id: n === 7 ? '9007199254740993' : String(n),
    items: [{ p: n, q: 2 }],
  }))
  const texts = values.map(({ n, id, items }) => `{"n":${n},"id":${id},"items":${JSON.stringify(items)}}`)
  await topic.publish(texts.map((value, n) => ({ key: `k${n % 3}`, value: Buffer.from(value) })))
  const double = '$d := function($s, $left) { $left = 0 ? $s : $d($s & $s, $left - 1) }'
  const expression = `(${double}; {"id": id, "total": $sum(items.(p * q)), "large": n = 5 ? $length($base64encode($d("0123456789abcdef", 22))) : n})`
  const transform = [step({ jsonata: { expression } }), step({ move: { fields: { large: 'n' } } })]
  const delivery = { ordering: Ordering.KEY }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { transform, delivery }))
  expect(await certificate(fleet, useCase, 40_000)).toMatchObject({
    published: 200,
    delivered: 199,
    failed: 1,
    missing: 0,
    repeated: 0,
  })
  const expected = values.filter(({ n }) => n !== 5).map(({ n, id }) => `{"id":${id},"total":${n * 2},"n":${n}}`)
  expect(bodiesOf(endpoint)).toEqual([...expected].sort())
  const { attempts } = await fleet.client.deliveries.listAttempts({
    useCase: useCase.name,
    filter: { outcomes: [Outcome.FAILED] },
  })
  expect(attempts).toMatchObject([
    {
      ...{ offset: 5n, reason: Reason.TRANSFORM_FAILED },
      error: expect.stringMatching(/^the transform fails at step 1 \(jsonata\): the expression takes more than 64 MiB of memory/),
    },
  ])
  for (const key of [0, 1, 2]) {
    const offsets = endpoint.requests.map(({ offset }) => offset).filter((offset) => offset % 3 === key)
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b))
  }
  const position = { case: 'position', value: { partition: 0, offset: 7n } } as const
  const { records } = await fleet.client.useCases.preview({ useCase: { name: useCase.name }, records: position, maxRecords: 1 })
  expect(records).toMatchObject([{ request: { body: expected[6] } }])
})

test.concurrent('a wrong transform is refused with every mistake and its step', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const jsonata = step({ jsonata: { expression: '{"a": b' } })
  const transform = [step({ move: { fields: { 'a[]': 'b' } } }), step({ cast: {} }), step({}), jsonata]
  const wrong = registerUseCase(fleet, specOf(topic, endpoint, { transform: transform }))
  await expect(wrong).rejects.toThrow(
    /the key of use_case\.spec\.transform\[0\]\.move\.fields\["a\[\]"\] must end with the name of a field/,
  )
  await expect(wrong).rejects.toThrow(/use_case\.spec\.transform\[1\]\.cast\.fields/)
  await expect(wrong).rejects.toThrow(
    /use_case\.spec\.transform\[2\] must have exactly one of move, drop, keep, nest, set, cast, jsonata/,
  )
  await expect(wrong).rejects.toThrow(
    /use_case\.spec\.transform\[3\]\.jsonata\.expression must be a JSONata expression; at character 7/,
  )
})

test.concurrent('a preview shows what would become of real records, and sends nothing; a test sends one, and moves nothing', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start(() => ({ status: 202, headers: { 'x-answer': 'yes' }, body: 'taken' }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const values = ['{"id":1,"keep":true}', '{"id":2}', 'no JSON', '{"id":"x","keep":true}', '{"id":9007199254740993,"keep":true}']
  await topic.publish(values.map((value) => ({ value: Buffer.from(value) })))
  const transform = [
    step({ move: { fields: { id: 'order.id' } } }),
    step({ cast: { fields: ['order.id'], to: 'CAST_TYPE_INTEGER' } }),
  ]
  const auth = { scheme: { case: 'bearer', value: { token: { value: 'very-secret' } } } } as const
  const spec = specOf(topic, endpoint, {
    ...{ transform, filter: 'has(value.keep)', destination: { url: endpoint.url, auth } },
  })
  const useCase = { name: newName(), spec }
  const { records, problems } = await fleet.client.useCases.preview({ useCase })
  expect(problems).toEqual([])
  expect(records.map(({ offset, verdict, reason }) => [offset, verdict, reason])).toEqual([
    [4n, PreviewVerdict.SEND, Reason.UNSPECIFIED],
    [3n, PreviewVerdict.FAIL, Reason.TRANSFORM_FAILED],
    [2n, PreviewVerdict.FAIL, Reason.DECODE_FAILED],
    [1n, PreviewVerdict.SKIP, Reason.FILTERED],
    [0n, PreviewVerdict.SEND, Reason.UNSPECIFIED],
  ])
  expect(records[0]).toMatchObject({
    ...{ decoded: values[4], valueBytes: BigInt(values[4]!.length) },
    request: { method: 'POST', url: endpoint.url, body: '{"keep":true,"order":{"id":9007199254740993}}' },
  })
  expect(records[0]!.request!.headers).toMatchObject({ authorization: '***', 'content-type': 'application/json' })
  expect(records[1]!.error).toBe('the transform fails at step 2 (cast): order.id is "x", which is not a whole number')
  const some = { useCase, maxRecords: 2, records: { case: 'position', value: { partition: 0, offset: 1n } } } as const
  expect((await fleet.client.useCases.preview(some)).records.map(({ offset }) => offset)).toEqual([1n, 2n])
  const early = { useCase, maxRecords: 2, records: { case: 'time', value: timestampFromMs(0) } } as const
  expect((await fleet.client.useCases.preview(early)).records.map(({ offset }) => offset)).toEqual([0n, 1n])
  expect(endpoint.requests).toEqual([])

  const position = { case: 'position', value: { partition: 0, offset: 4n } } as const
  const sent = await fleet.client.useCases.test({ useCase, record: position })
  expect(sent).toMatchObject({ status: 202, responseBody: 'taken', outcome: Outcome.DELIVERED, error: '' })
  expect(sent.responseHeaders).toMatchObject({ 'x-answer': 'yes' })
  expect(endpoint.requests.map(({ body, headers }) => [body, headers['authorization']])).toEqual([
    [records[0]!.request!.body, 'Bearer very-secret'],
  ])
  expect(endpoint.requests[0]!.headers['idempotency-key']).toMatch(/^test-/)
  expect(sent.record!.request!.headers).toMatchObject({ authorization: '***' })
  const value = Buffer.from('{"id":7,"keep":1}')
  const sample = await fleet.client.useCases.test({ useCase, record: { case: 'sample', value: { value } } })
  expect([sample.status, endpoint.requests.at(-1)!.body]).toEqual([202, '{"keep":1,"order":{"id":7}}'])
  const skipped = await fleet.client.useCases.test({ useCase, record: { case: 'sample', value: {} } })
  expect([skipped.status, skipped.record!.reason]).toEqual([0, Reason.TOMBSTONE])
  expect(endpoint.requests).toHaveLength(2)

  const absent = { case: 'position', value: { partition: 7, offset: 0n } } as const
  await expect(fleet.client.useCases.preview({ useCase, records: absent })).rejects.toThrow(
    'has no partition 7: it has 1, from 0',
  )
  const wrong = { ...useCase, spec: { ...spec, filter: 'valu' } }
  await expect(fleet.client.useCases.preview({ useCase: wrong })).rejects.toThrow('there is no variable valu')
  await expect(fleet.client.useCases.preview({ useCase: { name: useCase.name } })).rejects.toThrow('there is no use case')
  await fleet.client.useCases.createUseCase({ useCase })
  expect(
    await certificate(fleet, (await fleet.client.useCases.getUseCase({ name: useCase.name })).useCase!, 30_000),
  ).toMatchObject({
    ...{ published: 5, delivered: 2, skipped: 1, failed: 2, missing: 0, attempts: 4 },
  })
  expect((await fleet.client.useCases.preview({ useCase: { name: useCase.name }, maxRecords: 1 })).records).toMatchObject([
    { offset: 4n, request: { body: records[0]!.request!.body } },
  ])
})
