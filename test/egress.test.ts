import { Code, ConnectError } from '@connectrpc/connect'
import { expect, test } from 'vitest'
import { LaneCondition } from '../proto/gen/ferry/v1/lane_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { newName, registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

// The control plane allows loopback, so that a use case can be registered that its workers then must not serve.
const fleetOf = fleetOfFile({ workerEnv: { FERRY_EGRESS_ALLOW: 'private' } })

test('an address that workers may not dial holds its deliveries back and loses none; allowed, it gets them all at the first attempt', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(300))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  await waitUntil('its lanes say that the address is blocked', 20_000, async () => {
    const { lanes } = await fleet.client.fleet.listLanes({ useCase: useCase.name })
    const said = lanes.filter(
      (each) => each.condition === LaneCondition.ENDPOINT_BLOCKED && each.message.includes('127.0.0.1 is loopback'),
    )
    return said.length === 2
  })
  expect(endpoint.requests).toEqual([])
  const [blocked] = fleet.workers.splice(0)
  const allowing = await fleet.startWorker({ FERRY_EGRESS_ALLOW: '127.0.0.0/8' })
  expect((await blocked!.stop(20_000)).code).toBe(0)
  const counts = await certificate(fleet, useCase, 40_000)
  expect(counts).toMatchObject({ published: 300, delivered: 300, failed: 0, missing: 0, repeated: 0, attempts: 300 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(fleet.workers).toEqual([allowing])
})

test.each(['http://10.1.2.3/', 'http://0xa.1.2.3/', 'http://[::ffff:169.254.169.254]/', 'http://metadata.google.internal/'])(
  '%s is told when it is registered, with what would allow it',
  async (url) => {
    const fleet = fleetOf()
    await using endpoint = await Endpoint.start()
    await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
    const spec = specOf(topic, endpoint, { destination: { url } })
    // This control plane allows loopback, and nothing else.
    const call = fleet.client.useCases.createUseCase({ useCase: { name: newName(), spec }, validateOnly: true })
    const error = ConnectError.from(await call.catch((thrown: unknown) => thrown))
    expect(error.code).toBe(Code.InvalidArgument)
    expect(error.message).toMatch(/FERRY_EGRESS_ALLOW/)
  },
)

test('a redirect is not followed: its status decides', async () => {
  const fleet = fleetOf()
  await fleet.startWorker({ FERRY_EGRESS_ALLOW: 'loopback' })
  await using secret = await Endpoint.start()
  await using endpoint = await Endpoint.start(() => ({ status: 307, headers: { location: secret.url } }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(5))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  expect(await certificate(fleet, useCase, 40_000)).toMatchObject({
    published: 5,
    delivered: 0,
    failed: 5,
    missing: 0,
    attempts: 5,
  })
  expect(secret.requests).toEqual([])
  const rows = await fleet.sql.rows(
    `SELECT reason, status, count() AS rows FROM attempts WHERE uid = '${useCase.uid}' GROUP BY ALL`,
  )
  expect(rows).toEqual([{ reason: 'NON_RETRYABLE_STATUS', status: 307, rows: 5 }])
})
