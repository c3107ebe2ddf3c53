import { expect, test } from 'vitest'
import { Outcome } from '../proto/gen/ferry/v1/delivery_pb.ts'
import type { UseCase } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { type Fleet, fleetOfFile } from './harness/fleet.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const fleetOf = fleetOfFile({ workers: 1 })

async function visible(fleet: Fleet, useCase: UseCase): Promise<{ delivered: number; failed: number }> {
  const { attempts } = await fleet.client.deliveries.listAttempts({ useCase: useCase.name, pageSize: 1000 })
  const count = (outcome: Outcome): number => attempts.filter((each) => each.outcome === outcome).length
  return { delivered: count(Outcome.DELIVERED), failed: count(Outcome.FAILED) }
}

test('a row is invisible as soon as it has expired, and later it is gone; failures and the certificate stay', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start(({ offset }) => ({ status: offset % 10 === 0 ? 422 : 200 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(100))
  // What has expired stays in the table until this test lets it go: only so can it be seen that nobody sees it.
  await fleet.sql.run('SYSTEM STOP TTL MERGES attempts')
  const log = { successRetention: { seconds: 4n }, failureRetention: { seconds: 86_400n } }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { log }))
  const counts = await certificate(fleet, useCase, 20_000)
  expect(counts).toMatchObject({ published: 100, delivered: 90, failed: 10, missing: 0 })
  expect((await visible(fleet, useCase)).failed).toBe(10)
  const where = `uid = '${useCase.uid}' AND outcome = 'DELIVERED'`
  const [expiry] = await fleet.sql.rows<{ first: number; last: number }>(
    `SELECT toUnixTimestamp(min(expire_time)) AS first, toUnixTimestamp(max(expire_time)) AS last FROM attempts WHERE ${where}`,
  )
  const [lastRequest] = endpoint.requests.toSorted((a, b) => b.arrivedMs - a.arrivedMs)
  // To the second, as expire_time is.
  expect(Math.abs(expiry!.last - (lastRequest!.arrivedMs / 1000 + 4))).toBeLessThan(2)
  const visibleBefore = await visible(fleet, useCase)
  if (Date.now() < expiry!.first * 1000 - 500) expect(visibleBefore.delivered).toBe(90)
  await waitUntil('the last row has expired', 10_000, () => Date.now() > expiry!.last * 1000)
  // At once: the table still has them, and nobody sees them.
  expect(await visible(fleet, useCase)).toEqual({ delivered: 0, failed: 10 })
  expect(await fleet.sql.number(`SELECT count() FROM attempts_live WHERE ${where}`)).toBe(0)
  expect(await fleet.sql.number(`SELECT count() FROM attempts WHERE ${where}`)).toBe(90)
  // ClickHouse looks for parts that have expired once a minute; here at once.
  await fleet.sql.run('ALTER TABLE attempts MODIFY SETTING merge_with_ttl_timeout = 0')
  await fleet.sql.run('SYSTEM START TTL MERGES attempts')
  await waitUntil(
    'the rows are gone',
    30_000,
    async () => (await fleet.sql.number(`SELECT count() FROM attempts WHERE ${where}`)) === 0,
  )
  expect(await fleet.sql.number(`SELECT count() FROM attempts WHERE uid = '${useCase.uid}'`)).toBe(10)
  const after = await certificate(fleet, useCase, 5000)
  expect(after).toMatchObject({ published: 100, delivered: 90, failed: 10, missing: 0, onTheWay: 0 })
})
