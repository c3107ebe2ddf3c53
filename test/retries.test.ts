import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { afterAll, expect, test } from 'vitest'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { evenPercent } from './harness/even-percent.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { type Received, recordName } from './harness/received.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { TraceCollector } from './harness/trace-collector.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const collector = await TraceCollector.start()
afterAll(() => collector[Symbol.asyncDispose]())

const tracing = { FERRY_TRACE_URL: collector.url, FERRY_TRACE_RATIO: '0', FERRY_TRACE_DELAY: '50ms' }
const fleetOf = fleetOfFile({ workers: 2, workerEnv: tracing, controlPlaneEnv: tracing })

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

test('a trace leads from the record through each attempt to the endpoint, and from a caller into the control plane', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start(({ attempt }) => ({ status: attempt < 3 ? 503 : 200 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const [traceId, callId] = ['0af7651916cd43dd8448eb211c80319c', '1bf7651916cd43dd8448eb211c80319c']
  await topic.publish([{ key: 'k', value: '{"id": 1}', headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } }])
  await topic.publish(jsonRecords(20))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  expect(await certificate(fleet, useCase, 30_000)).toMatchObject({ published: 21, delivered: 21 })
  const spansOf = (kind: string) => collector.spans.filter((span) => span.kind === kind && span.traceId === traceId)
  await waitUntil('all spans are there', 10_000, () => spansOf('CLIENT').length === 3 && spansOf('CONSUMER').length === 3)
  // The use case's other records have no trace, and get none.
  expect(collector.spans.filter((span) => span.kind === 'CONSUMER')).toHaveLength(3)
  const attempts = spansOf('CONSUMER')
  expect(attempts.map(({ attributes }) => [attributes['ferry.attempt'], attributes['ferry.outcome']]).sort()).toEqual([
    [1, 'retry'],
    [2, 'retry'],
    [3, 'delivered'],
  ])
  expect(new Set(attempts.map(({ parentId }) => parentId))).toEqual(new Set(['b7ad6b7169203331']))
  const sent = endpoint.requests.filter(({ offset }) => offset === 0).map(({ headers }) => headers['traceparent'])
  expect(sent.sort()).toEqual(
    spansOf('CLIENT')
      .map(({ spanId }) => `00-${traceId}-${spanId}-01`)
      .sort(),
  ) // prettier-ignore
  const headers = { 'content-type': 'application/json', traceparent: `00-${callId}-b7ad6b7169203331-01` }
  const body = JSON.stringify({ name: useCase.name })
  await fetch(`${fleet.controlPlanes[0]!.httpUrl}/ferry.v1.UseCaseService/GetUseCase`, { method: 'POST', headers, body })
  const call = () => collector.spans.find((span) => span.traceId === callId)
  await waitUntil('the call is there', 10_000, () => call() !== undefined)
  expect(call()).toMatchObject({ kind: 'SERVER', name: 'ferry.v1.UseCaseService/GetUseCase', parentId: 'b7ad6b7169203331' })
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
