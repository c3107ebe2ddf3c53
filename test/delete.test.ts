import { Code, ConnectError } from '@connectrpc/connect'
import { expect, test } from 'vitest'
import type { UseCase } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { type Fleet, fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const fleetOf = fleetOfFile({ workers: 2 })

const codeOf = async (call: Promise<unknown>): Promise<Code | undefined> =>
  call.then(
    () => undefined,
    (error: unknown) => ConnectError.from(error).code,
  )

const waitUntilGone = (fleet: Fleet, { name }: UseCase): Promise<unknown> =>
  waitUntil(`${name} is gone`, 30_000, async () => (await codeOf(fleet.client.useCases.getUseCase({ name }))) === Code.NotFound)

test('a use case with waiting deliveries is deleted only by force, and then they end SKIPPED with a reason and keep their bytes', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start(({ offset }) => ({ status: offset % 4 === 0 ? 503 : 200 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(400).map((each, index) => ({ ...each, partition: index % 2 })))
  const retry = { initialInterval: { seconds: 3600n } }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { retry }))
  const { name, uid } = useCase
  const { useCases, deliveries } = fleet.client
  await waitUntil('a quarter of it waits', 20_000, async () => (await deliveries.getLag({ useCase: name })).parked === 100n)
  expect(await codeOf(useCases.deleteUseCase({ name }))).toBe(Code.FailedPrecondition)
  await useCases.deleteUseCase({ name, force: true })
  await waitUntilGone(fleet, useCase)
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged).toMatchObject({ requests: 400, outcomes: { DELIVERED: 300, SKIPPED: 100, FAILED: 0 } })
  const reasons = await fleet.sql.rows(`SELECT DISTINCT kind, reason FROM ranges WHERE uid = '${uid}' AND kind != 'BEFORE_START'`)
  expect(reasons).toEqual([{ kind: 'OPERATOR', reason: 'DELETED' }])
  expect(await fleet.sql.number(`SELECT uniqExact(partition, offset) FROM payloads WHERE uid = '${uid}'`)).toBe(100)
  const groups = (await topic.admin.listGroups()).groups.filter((each) => each.groupId.includes(uid))
  expect(groups).toEqual([])
})

test('a name that is used again belongs to another use case, which inherits nothing', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(100))
  const first = await registerUseCase(fleet, specOf(topic, endpoint))
  await certificate(fleet, first, 20_000)
  await fleet.client.useCases.deleteUseCase({ name: first.name })
  await waitUntilGone(fleet, first)
  const second = await registerUseCase(fleet, specOf(topic, endpoint), first.name)
  expect(second.uid).not.toBe(first.uid)
  expect(second.revision).toBe(1n)
  const counts = await certificate(fleet, second, 20_000)
  expect(counts).toMatchObject({ published: 100, delivered: 100, missing: 0, repeated: 0, attempts: 100 })
  expect(endpoint.requests).toHaveLength(200)
})
