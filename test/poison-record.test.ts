import { expect, test } from 'vitest'
import { DeliveryState, Outcome, Reason } from '../proto/gen/ferry/v1/delivery_pb.ts'
import type { UseCase } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { type Fleet, fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { encodeOrder, orderDescriptorSet, orderMessageName } from './harness/order-message.ts'
import { Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'

const fleetOf = fleetOfFile({ workers: 1 })

const isPoison = (index: number): boolean => index % 10 === 3

/** Of every failed record the log keeps the bytes: answers how many of these values are in none of its payloads. */
async function countLostPayloads(fleet: Fleet, useCase: UseCase, values: readonly Buffer[]): Promise<number> {
  const rows = await fleet.sql.rows<{ bytes: string }>(
    `SELECT base64Encode(packed_record) AS bytes FROM payloads WHERE uid = '${useCase.uid}'`,
  )
  const packed = rows.map((row) => Buffer.from(row.bytes, 'base64'))
  return values.filter((value) => !packed.some((each) => each.includes(value))).length
}

async function expectFailures(fleet: Fleet, useCase: UseCase, count: number): Promise<void> {
  const filter = { outcomes: [Outcome.FAILED] }
  const { attempts } = await fleet.client.deliveries.listAttempts({ useCase: useCase.name, filter, pageSize: 1000 })
  expect(attempts).toHaveLength(count)
  for (const attempt of attempts) {
    expect(attempt).toMatchObject({ reason: Reason.DECODE_FAILED, attempt: 0, status: 0 })
    expect(attempt.error).not.toBe('')
  }
}

test('records that are no JSON end FAILED among good ones, and their bytes are kept', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  const poison = ['{"id": ', 'no JSON at all', '{"id": 1} and more', Buffer.from([0xff, 0xfe, 0x00, 0x7b])]
  const values = Array.from({ length: 400 }, (_, index) =>
    isPoison(index)
      ? Buffer.concat([Buffer.from(poison[index % 4]!), Buffer.from(` #${index}`)])
      : Buffer.from(`{"id":${index}}`),
  )
  await topic.publish(values.map((value, index) => ({ value, partition: index % 2 })))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  const counts = await certificate(fleet, useCase, 30_000)
  expect(counts).toMatchObject({ published: 400, delivered: 360, failed: 40, missing: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged).toMatchObject({ requests: 360, outcomes: { DELIVERED: 360, FAILED: 40 } })
  await expectFailures(fleet, useCase, 40)
  expect(
    await countLostPayloads(
      fleet,
      useCase,
      values.filter((_, index) => isPoison(index)),
    ),
  ).toBe(0)
  const first = values.findIndex((_, index) => isPoison(index))
  const at = { partition: first % 2, offset: BigInt(Math.floor(first / 2)) }
  const { delivery } = await fleet.client.deliveries.getDelivery({ useCase: useCase.name, ...at })
  expect(delivery).toMatchObject({ state: DeliveryState.ENDED, outcome: Outcome.FAILED, reason: Reason.DECODE_FAILED })
})

test('records that are not of the protobuf message end FAILED among good ones, and their bytes are kept', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  // Cut in the middle of a field; a length that is longer than the record; bytes that are no field at all.
  const poison = (index: number): Buffer => {
    const whole = encodeOrder(index, `customer ${index}`, [1, 2])
    if (index % 3 === 0) return whole.subarray(0, whole.length - 5)
    return index % 3 === 1 ? Buffer.concat([whole, Buffer.from([0x12, 0x7f])]) : Buffer.concat([whole, Buffer.from([0xff, 0xff])])
  }
  const values = Array.from({ length: 400 }, (_, index) =>
    isPoison(index) ? poison(index) : encodeOrder(index, `customer ${index}`, [index]),
  )
  await topic.publish(values.map((value, index) => ({ value, partition: index % 2 })))
  const value = { descriptorSet: orderDescriptorSet(), message: orderMessageName }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { decode: { format: { case: 'protobuf', value } } }))
  const counts = await certificate(fleet, useCase, 30_000)
  expect(counts).toMatchObject({ published: 400, delivered: 360, failed: 40, missing: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.requests).toBe(360)
  await expectFailures(fleet, useCase, 40)
  expect(
    await countLostPayloads(
      fleet,
      useCase,
      values.filter((_, index) => isPoison(index)),
    ),
  ).toBe(0)
})

test('a lane gets through a topic of nothing but poison, although giving up is paid for by success', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(Array.from({ length: 2000 }, (_, index) => ({ value: `poison ${index}` })))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  const counts = await certificate(fleet, useCase, 30_000)
  expect(counts).toMatchObject({ published: 2000, delivered: 0, failed: 2000, missing: 0 })
  expect(endpoint.requests).toHaveLength(0)
})
