import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { DeliveryState, Outcome, Reason } from '../proto/gen/ferry/v1/delivery_pb.ts'
import { LaneCondition } from '../proto/gen/ferry/v1/lane_pb.ts'
import { OnExhausted, Ordering } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const fleetOf = fleetOfFile({ workers: 1 })

/** Offsets 0, 10, 20 and so on have key k0. */
const keys = 10
const retry = { initialInterval: durationFromMs(50), maxRetries: 1, onExhausted: OnExhausted.BLOCK }

test('a blocked delivery holds its key up until an operator skips it or sends it again, and nothing else', async () => {
  const fleet = fleetOf()
  let isPoison = (offset: number): boolean => offset === 20 || offset === 33
  await using endpoint = await Endpoint.start(({ offset }) => ({ status: isPoison(offset) ? 503 : 200 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(200, { keys }))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { retry, delivery: { ordering: Ordering.KEY } }))
  const { name } = useCase
  const { deliveries } = fleet.client
  const states = async (...offsets: number[]) =>
    Promise.all(
      offsets.map(async (offset) => {
        const { delivery } = await deliveries.getDelivery({ useCase: name, partition: 0, offset: BigInt(offset) })
        return [delivery!.state, delivery!.outcome, delivery!.reason]
      }),
    )
  const laneOf = async () => (await fleet.client.fleet.listLanes({ useCase: name })).lanes[0]!
  await waitUntil('two deliveries are blocked', 20_000, async () =>
    /^2 blocked, the first at offset 20:/.test((await laneOf()).message),
  )
  expect((await laneOf()).condition).toBe(LaneCondition.BLOCKED)
  // All but 20, 30 ... 190 and 33, 43 ... 193.
  await waitUntil('the other keys are delivered', 20_000, () => endpoint.successes === 165)
  await expect
    .poll(() => states(20, 30), { timeout: 10_000 })
    .toEqual([
      [DeliveryState.BLOCKED, Outcome.UNSPECIFIED, Reason.MAX_RETRIES_REACHED],
      [DeliveryState.BEHIND, Outcome.UNSPECIFIED, Reason.UNSPECIFIED],
    ])
  await deliveries.skipDeliveries({ useCase: name, deliveries: { partition: 0, fromOffset: 20n }, reason: 'no customer' })
  await waitUntil('the key goes on', 20_000, () => endpoint.successes === 165 + 17)
  isPoison = () => false
  await deliveries.retryDeliveries({ useCase: name, deliveries: { partition: 0, fromOffset: 0n, toOffset: 200n } })
  const counts = await certificate(fleet, useCase, 20_000)
  expect(counts).toMatchObject({ published: 200, delivered: 199, skipped: 1, failed: 0, missing: 0, repeated: 0 })
  expect((await judge(fleet, useCase, topic, endpoint)).problems).toEqual([])
  expect(await states(20, 33)).toEqual([
    [DeliveryState.ENDED, Outcome.SKIPPED, Reason.OPERATOR],
    [DeliveryState.ENDED, Outcome.DELIVERED, Reason.UNSPECIFIED],
  ])
  expect(await fleet.sql.rows(`SELECT error FROM attempts WHERE uid = '${useCase.uid}' AND outcome = 'SKIPPED'`)).toEqual([
    { error: 'skipped by anonymous: no customer' },
  ])
  const requests = Map.groupBy(endpoint.requests, ({ offset }) => offset)
  expect(requests.get(33)!.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
})

test('a blocked record stops its partition, also one that cannot be decoded; another policy lets it go', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start(() => ({}))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const records = jsonRecords(60)
  await topic.publish(records.map((each, at) => (at === 25 ? { value: 'no JSON' } : each)))
  const spec = specOf(topic, endpoint, { retry, delivery: { ordering: Ordering.PARTITION } })
  const useCase = await registerUseCase(fleet, spec)
  const { name } = useCase
  const laneOf = async () => (await fleet.client.fleet.listLanes({ useCase: name })).lanes[0]!
  await waitUntil('it is blocked', 20_000, async () => (await laneOf()).condition === LaneCondition.BLOCKED)
  expect(endpoint.requests).toHaveLength(25)
  const { onExhausted, ...others } = retry
  await fleet.client.useCases.updateUseCase({ useCase: { name, spec: { ...spec, retry: others } } })
  expect(onExhausted).toBe(OnExhausted.BLOCK)
  expect(await certificate(fleet, useCase, 20_000)).toMatchObject({ published: 60, delivered: 59, failed: 1, missing: 0 })
  expect((await judge(fleet, useCase, topic, endpoint)).problems).toEqual([])
})
