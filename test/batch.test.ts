import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { BatchFormat, BatchItem } from '../proto/gen/ferry/v1/batching_pb.ts'
import { Outcome } from '../proto/gen/ferry/v1/delivery_pb.ts'
import { Ordering } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile, shortLease } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import type { Behaviour } from './harness/received.ts'
import { createBatch, waitForBatch } from './harness/retry-batch.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const fleetOf = fleetOfFile({ workers: 2, workerEnv: shortLease })

const idOf = (body: string): number => (JSON.parse(body) as { id: number }).id

test('a refused batch is halved down to the poison records; these end FAILED, the others are delivered, and a retry batch ends it', async () => {
  const fleet = fleetOf()
  const poison = new Set([7, 300, 301])
  await using endpoint = await Endpoint.start(({ batch }) => ({
    status: batch.some(({ body }) => poison.has(idOf(body))) ? 422 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(1000))
  const batch = { maxRecords: 50, format: BatchFormat.NDJSON, item: BatchItem.ENVELOPE }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { destination: { url: endpoint.url, batch } }))
  expect(await certificate(fleet, useCase, 30_000)).toMatchObject({ delivered: 997, failed: 3, missing: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.repeats).toBe(0)
  const requests = new Set(endpoint.requests.map((each) => each.batch))
  expect(requests.size).toBeLessThan(100)
  const { attempts } = await fleet.client.deliveries.listAttempts({
    useCase: useCase.name,
    filter: { outcomes: [Outcome.FAILED] },
  })
  expect(attempts.map(({ requestBody, status, item }) => [idOf(requestBody), status, item])).toEqual(
    expect.arrayContaining([...poison].map((id) => [id, 422, 0])),
  )
  poison.clear()
  await waitForBatch(fleet, (await createBatch(fleet, useCase)).name, 30_000)
  expect(await certificate(fleet, useCase, 20_000)).toMatchObject({ delivered: 1000, failed: 0, missing: 0, repeated: 0 })
})

test('a JSON array of plain values; the log has a row for each record, and what is the request’s own once', async () => {
  const fleet = fleetOf()
  const bodies: unknown[][] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const values = JSON.parse(Buffer.concat(chunks).toString()) as { id: number }[]
    bodies.push(values)
    const failures = values.flatMap(({ id }, index) => (id === 99 ? [{ index, status: 409, error: 'has it' }] : []))
    response.setHeader('x-by', 'test').end(JSON.stringify({ failures }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(600))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/rows`
  const useCase = await registerUseCase(
    fleet,
    specOf(topic, { url } as Endpoint, { destination: { url, batch: { maxRecords: 40, maxWait: durationFromMs(50) } } }),
  )
  expect(await certificate(fleet, useCase, 30_000)).toMatchObject({ delivered: 599, failed: 1, missing: 0, attempts: 600 })
  server.close()
  expect(
    bodies
      .flat()
      .map((value) => (value as { id: number }).id)
      .sort((a, b) => a - b),
  ).toEqual(Array.from({ length: 600 }, (_, id) => id))
  expect(Math.max(...bodies.map(({ length }) => length))).toBe(40)
  const rows = await fleet.sql.rows<{ requests: number; firsts: number; heads: number; failure: string }>(
    `SELECT toUInt32(uniqExact(worker, request_id)) AS requests, toUInt32(countIf(item = 0)) AS firsts,
      toUInt32(countIf(notEmpty(request_headers) AND response_headers['x-by'] = 'test' AND item = 0)) AS heads,
      anyIf(concat(toString(status), ' ', error, ' ', request_body), outcome = 'FAILED') AS failure
    FROM attempts WHERE uid = '${useCase.uid}'`,
  )
  const { length } = bodies
  expect(rows).toEqual([{ requests: length, firsts: length, heads: length, failure: '409 has it {"id":99,"text":"record 99"}' }])
})

/** Of some batches one record fails at first, of others all; in PARTITION order the endpoint takes none behind one that fails. */
const partly =
  (ordering: Ordering): Behaviour =>
  ({ offset, batch, attempt }) => {
    const index = offset % batch.length
    if (offset % 5 > 0 || attempt > 1) return { delayMs: 10 }
    if (offset % 2 === 0) return { delayMs: 10, status: 503 }
    const last = ordering === Ordering.PARTITION ? batch.length - 1 : index
    const failures = batch.slice(index, last + 1).map((_, at) => ({ index: index + at, status: 503 }))
    return { delayMs: 10, body: JSON.stringify({ failures }) }
  }

test('a worker killed with batches on their way: nothing is missing, and no order is broken', async () => {
  const fleet = fleetOf()
  const orderings = [Ordering.UNORDERED, Ordering.KEY, Ordering.PARTITION]
  const flows = await Promise.all(
    orderings.map(async (ordering) => {
      const endpoint = await Endpoint.start(partly(ordering))
      const topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
      await topic.publish(jsonRecords(1600, { keys: 500 }))
      const batch = { maxRecords: 20, maxWait: durationFromMs(20), item: BatchItem.ENVELOPE }
      const spec = specOf(topic, endpoint, { destination: { url: endpoint.url, batch }, delivery: { ordering, maxInFlight: 8 } })
      return { endpoint, topic, useCase: await registerUseCase(fleet, spec) }
    }),
  )
  await waitUntil('all have begun', 20_000, () => flows.every(({ endpoint }) => endpoint.successes > 200))
  fleet.workers[0]!.kill('SIGKILL')
  for (const { endpoint, topic, useCase } of flows) {
    const counts = await certificate(fleet, useCase, 40_000)
    expect(counts).toMatchObject({ published: 1600, delivered: 1600, missing: 0, onTheWay: 0 })
    const judged = await judge(fleet, useCase, topic, endpoint, { crashed: true })
    expect(judged.problems).toEqual([])
    await topic[Symbol.asyncDispose]()
    await endpoint[Symbol.asyncDispose]()
  }
}, 120_000)
