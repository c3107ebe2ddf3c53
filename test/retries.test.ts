import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { evenPercent } from './harness/even-percent.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { type Received, recordName } from './harness/received.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'

const fleetOf = fleetOfFile({ workers: 2 })

/** From a request's arrival: its answer is later, and a wait that is counted from the answer is longer still. */
const waitMs = (request: Received, next: Received): number => next.arrivedMs - request.arrivedMs

const byRecord = (endpoint: Endpoint): Map<string, Received[]> => Map.groupBy(endpoint.requests, recordName)

test('a storm of 503 ends with every record delivered', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start((request) => ({ status: evenPercent(request) < 30 ? 503 : 200 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  await topic.publish(jsonRecords(4000))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  const counts = await certificate(fleet, useCase, 40_000)
  expect(counts).toMatchObject({ published: 4000, delivered: 4000, failed: 0, missing: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.repeats).toBe(0)
  const refused = endpoint.requests.filter((each) => each.status === 503).length
  expect(refused).toBeGreaterThan(1000)
  expect(judged.requests).toBe(4000 + refused)
  expect(counts.attempts).toBe(judged.requests)
})

test('Retry-After is kept to the second: nothing of the record is sent earlier, and it is sent soon after', async () => {
  const fleet = fleetOf()
  const askedS = 3
  await using endpoint = await Endpoint.start(({ attempt, offset }) => {
    if (attempt > 1 || offset % 10 !== 0) return {}
    return { status: 429, headers: { 'retry-after': String(askedS) } }
  })
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(200).map((each, index) => ({ ...each, partition: index % 2 })))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  expect(await certificate(fleet, useCase, 30_000)).toMatchObject({ published: 200, delivered: 200, missing: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged).toMatchObject({ requests: 220, repeats: 0 })
  const waitsMs = [...byRecord(endpoint).values()].flatMap(([first, second]) =>
    first!.status === 429 ? [waitMs(first!, second!)] : [],
  )
  expect(waitsMs).toHaveLength(20)
  // The policy alone would have waited 0.1 s.
  expect(Math.min(...waitsMs)).toBeGreaterThanOrEqual(askedS * 1000)
  expect(Math.max(...waitsMs)).toBeLessThan((askedS + 2) * 1000)
})

test('waits grow by the policy, and max_retries ends the delivery as FAILED', async () => {
  const fleet = fleetOf()
  const hopeless = ({ offset }: { offset: number }): boolean => offset % 50 === 7
  await using endpoint = await Endpoint.start((request) => ({ status: hopeless(request) ? 500 : 200 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(200))
  const retry = { initialInterval: durationFromMs(200), backoffCoefficient: 3, jitterRatio: 0, maxRetries: 2 }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { retry }))
  const counts = await certificate(fleet, useCase, 30_000)
  expect(counts).toMatchObject({ published: 200, delivered: 196, failed: 4, missing: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  const failed = [...byRecord(endpoint).values()].filter(([first]) => hopeless(first!))
  expect(failed.map((each) => each.length)).toEqual([3, 3, 3, 3])
  for (const [first, second, third] of failed) {
    expect(waitMs(first!, second!)).toBeGreaterThanOrEqual(200)
    expect(waitMs(second!, third!)).toBeGreaterThanOrEqual(600)
  }
  const rows = await fleet.sql.rows(`SELECT reason, status, count() AS rows FROM outcomes
    WHERE uid = '${useCase.uid}' AND outcome = 'FAILED' GROUP BY ALL`)
  expect(rows).toEqual([{ reason: 'MAX_RETRIES_REACHED', status: 500, rows: 4 }])
})

test('a request without an answer in time, and one that is broken off, are tried again', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start(({ offset, attempt }) => {
    if (attempt > 1) return {}
    return offset % 20 === 3 ? 'HANG' : offset % 20 === 4 ? 'RESET' : {}
  })
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(200))
  const destination = { url: endpoint.url, requestTimeout: durationFromMs(500) }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { destination }))
  expect(await certificate(fleet, useCase, 30_000)).toMatchObject({ published: 200, delivered: 200, missing: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged).toMatchObject({ requests: 220, attempts: 220, repeats: 0 })
  const rows = await fleet.sql.rows(`SELECT reason, count() AS rows FROM attempts
    WHERE uid = '${useCase.uid}' AND outcome = 'RETRY' GROUP BY ALL ORDER BY reason`)
  expect(rows).toEqual([
    { reason: 'TIMEOUT', rows: 10 },
    { reason: 'CONNECTION_RESET', rows: 10 },
  ])
})
