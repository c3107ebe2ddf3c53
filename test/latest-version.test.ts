import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { Ordering } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const fleetOf = fleetOfFile({ workers: 2 })
const keys = 25
const records = 4000

test('of what waits of a key only the newest is sent, also when it fails first and a worker is killed', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start(({ offset, attempt }) => ({
    delayMs: 20,
    status: offset % 7 === 0 && attempt === 1 ? 503 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(records, { keys }))
  const delivery = { ordering: Ordering.KEY, maxInFlight: 4, latestVersionWins: true }
  const retry = { initialInterval: durationFromMs(200) }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery, retry }))
  await waitUntil('it delivers', 20_000, () => endpoint.successes >= 10)
  fleet.workers[0]!.kill('SIGKILL')
  await topic.publish(jsonRecords(records, { keys, from: records }))
  const counts = await certificate(fleet, useCase, 40_000)
  expect(counts).toMatchObject({ published: 2 * records, failed: 0, skipped: 0, missing: 0 })
  expect(counts.delivered + counts.superseded).toBe(2 * records)
  expect(counts.superseded).toBeGreaterThan(records)
  expect((await judge(fleet, useCase, topic, endpoint, { crashed: true })).problems).toEqual([])
  const lastOf = new Map<string, number>()
  for (const { status, body } of endpoint.requests) {
    const { id } = JSON.parse(body) as { id: number }
    if (status === 200) lastOf.set(`k${id % keys}`, id)
  }
  const keyNames = Array.from({ length: keys }, (_, key) => `k${key}`)
  expect(Object.fromEntries(lastOf)).toEqual(Object.fromEntries(keyNames.map((key, at) => [key, newestOf(at)])))
  const rows = await fleet.sql.rows(
    `SELECT DISTINCT reason FROM outcomes WHERE uid = '${useCase.uid}' AND outcome = 'SUPERSEDED'`,
  )
  expect(rows).toEqual([{ reason: 'NEWER_VERSION' }])
})

/** The highest id of a key. */
function newestOf(key: number): number {
  const last = 2 * records - 1
  return last - ((last - key) % keys)
}
