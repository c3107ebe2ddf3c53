import { expect, test } from 'vitest'
import { DeliveryState, Outcome, Reason } from '../proto/gen/ferry/v1/delivery_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { createBatch, waitForBatch } from './harness/retry-batch.ts'
import { Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'

const fleetOf = fleetOfFile({ workers: 1 })

test('what the filter leaves out is SKIPPED without a row for each, and counts in the certificate', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  const values = Array.from({ length: 2000 }, (_, index) => Buffer.from(`{"id":${index},"keep":${index % 10 === 0}}`))
  await topic.publish(values.map((value, index) => ({ value, partition: index % 2 })))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { filter: 'value.keep && partition == 0' }))
  const counts = await certificate(fleet, useCase, 30_000)
  expect(counts).toMatchObject({ published: 2000, delivered: 200, skipped: 1800, missing: 0, repeated: 0, attempts: 200 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.requests).toBe(200)
  const { delivery } = await fleet.client.deliveries.getDelivery({ useCase: useCase.name, partition: 1, offset: 7n })
  expect(delivery).toMatchObject({ state: DeliveryState.ENDED, outcome: Outcome.SKIPPED, reason: Reason.FILTERED })
})

test('a record that the filter cannot decide about is FAILED with the place, and can be retried by a mended filter', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(['{"amount":5}', '{"other":5}', '{"amount":"7"}'].map((value) => ({ value: Buffer.from(value) })))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { filter: 'value.amount > 1' }))
  expect(await certificate(fleet, useCase, 30_000)).toMatchObject({ delivered: 1, failed: 2, missing: 0 })
  const filter = { outcomes: [Outcome.FAILED] }
  const { attempts } = await fleet.client.deliveries.listAttempts({ useCase: useCase.name, filter })
  const { error } = attempts.find((each) => each.offset === 1n)!
  expect(error).toBe('the filter fails at character 6: field not found: amount')
  expect(attempts.map(({ reason, attempt }) => [reason, attempt])).toEqual(Array(2).fill([Reason.FILTER_FAILED, 0]))
  const mended = 'has(value.amount) && double(value.amount) > 1.0'
  await fleet.client.useCases.updateUseCase({
    useCase: { name: useCase.name, spec: { filter: mended } },
    updateMask: { paths: ['spec.filter'] },
  })
  await waitForBatch(fleet, (await createBatch(fleet, useCase)).name, 40_000)
  expect(await certificate(fleet, useCase, 20_000)).toMatchObject({
    delivered: 2,
    skipped: 1,
    failed: 0,
    missing: 0,
    repeated: 0,
  })
  expect((await judge(fleet, useCase, topic, endpoint)).problems).toEqual([])
})

test('a wrong filter is refused with every mistake and its place', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const wrong = registerUseCase(fleet, specOf(topic, endpoint, { filter: 'valu.amount > 1 && value.x.foo()' }))
  await expect(wrong).rejects.toThrow(/at character 1, before .*there is no variable valu/)
  await expect(wrong).rejects.toThrow(/there is no function foo/)
})
