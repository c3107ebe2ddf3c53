import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { Outcome, Reason } from '../proto/gen/ferry/v1/delivery_pb.ts'
import { type TransformStep, TransformStepSchema } from '../proto/gen/ferry/v1/transform_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { createBatch, waitForBatch } from './harness/retry-batch.ts'
import { Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'

const fleetOf = fleetOfFile({ workers: 1 })

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

test.concurrent('a wrong transform is refused with every mistake and its step', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const transform = [step({ move: { fields: { 'a[]': 'b' } } }), step({ cast: {} }), step({})]
  const wrong = registerUseCase(fleet, specOf(topic, endpoint, { transform: transform }))
  await expect(wrong).rejects.toThrow(
    /the key of use_case\.spec\.transform\[0\]\.move\.fields\["a\[\]"\] must end with the name of a field/,
  )
  await expect(wrong).rejects.toThrow(/use_case\.spec\.transform\[1\]\.cast\.fields/)
  await expect(wrong).rejects.toThrow(/use_case\.spec\.transform\[2\] must have exactly one of move, drop, keep, nest, set, cast/)
})
