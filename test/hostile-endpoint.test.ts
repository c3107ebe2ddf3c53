import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { hostileThread } from './harness/hostile-endpoint.ts'
import { peakMemoryMb } from './harness/process-memory.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const fleetOf = fleetOfFile()

/** What the log has of each fault. worker/deliver/hostile-endpoint.test.ts has all of them. */
const logged: Readonly<Record<string, { readonly status: number; readonly outcome: string; readonly reason: string }>> = {
  'never-answers': { status: 0, outcome: 'RETRY', reason: 'TIMEOUT' },
  'slow-body': { status: 0, outcome: 'RETRY', reason: 'TIMEOUT' },
  'endless-body': { status: 200, outcome: 'DELIVERED', reason: 'NONE' },
  'endless-chunks': { status: 200, outcome: 'DELIVERED', reason: 'NONE' },
  'endless-headers': { status: 0, outcome: 'RETRY', reason: 'INVALID_RESPONSE' },
  'interim-answers-flood': { status: 0, outcome: 'RETRY', reason: 'INVALID_RESPONSE' },
  'chunk-extension-flood': { status: 0, outcome: 'RETRY', reason: 'INVALID_RESPONSE' },
  'gzip-bomb': { status: 200, outcome: 'DELIVERED', reason: 'NONE' },
  'reset-in-the-body': { status: 0, outcome: 'RETRY', reason: 'CONNECTION_RESET' },
  'two-answers': { status: 200, outcome: 'DELIVERED', reason: 'NONE' },
  'a-redirect-loop': { status: 302, outcome: 'FAILED', reason: 'NON_RETRYABLE_STATUS' },
  'too-many-requests': { status: 429, outcome: 'RETRY', reason: 'RETRYABLE_STATUS' },
}

test('endpoints that mean harm cost the worker no memory and another use case not its rate', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  // Floods have one of their own: the others are to answer in time.
  await using floods = await hostileThread()
  await using others = await hostileThread()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await using hostileTopic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const good = await registerUseCase(fleet, specOf(topic, endpoint))
  const measureMs = async (): Promise<number> => {
    const before = endpoint.successes
    const startedAt = performance.now()
    await topic.publish(jsonRecords(500))
    await waitUntil('five hundred records are delivered', 20_000, () => endpoint.successes >= before + 500)
    return performance.now() - startedAt
  }
  await measureMs()
  const aloneMs = Math.max(await measureMs(), await measureMs())

  await hostileTopic.publish(jsonRecords(200))
  const faults = Object.keys(logged)
  const useCases = await Promise.all(
    faults.map((fault) =>
      registerUseCase(fleet, {
        ...specOf(hostileTopic, endpoint),
        destination: {
          url: `${(/flood|endless/.test(fault) ? floods : others).origin}/${fault}`,
          requestTimeout: durationFromMs(2000),
        },
        delivery: { maxInFlight: 4 },
      }),
    ),
  )
  const uids = useCases.map((each) => `'${each.uid}'`).join(', ')
  const rows = () =>
    fleet.sql.rows(`SELECT uid, groupUniqArray((status, toString(outcome), toString(reason))) AS seen
      FROM attempts WHERE uid IN (${uids}) GROUP BY uid`) as Promise<readonly { readonly uid: string; readonly seen: unknown }[]>
  const amongMs = [await measureMs(), await measureMs(), await measureMs()].sort((a, b) => a - b)[1]!
  await waitUntil('every fault is in the log as it should be', 30_000, async () => {
    const found = new Map((await rows()).map((each) => [each.uid, JSON.stringify(each.seen)]))
    return faults.every((fault, at) => {
      const { status, outcome, reason } = logged[fault]!
      return found.get(useCases[at]!.uid)?.includes(JSON.stringify([status, outcome, reason]))
    })
  })
  // All of it happens on one machine: a worker that held its breath would take as long as the hostile requests, again and again.
  expect(amongMs).toBeLessThan(aloneMs * 4 + 2000)
  expect(peakMemoryMb(fleet.workers[0]!.pid)).toBeLessThan(400)
  expect(await certificate(fleet, good, 20_000)).toMatchObject({ published: 3000, delivered: 3000, attempts: 3000, failed: 0 })
}, 120_000)
