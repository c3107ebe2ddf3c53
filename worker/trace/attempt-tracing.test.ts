import { afterEach, expect, test, vi } from 'vitest'
import { BatchItem } from '../../proto/gen/ferry/v1/batching_pb.ts'
import { Tracing } from '../../runtime/tracing/tracing.ts'
import { Endpoint } from '../../test/harness/endpoint.ts'
import { TraceCollector } from '../../test/harness/trace-collector.ts'
import type { Keeper } from '../lane/keeper.ts'
import { KnownEnds } from '../lane/known-ends.ts'
import { Lane } from '../lane/lane.ts'
import type { Parked } from '../lane/parked.ts'
import { Parking } from '../lane/parking.ts'
import { Roster } from '../lane/roster.ts'
import { sampleRoute } from '../lane/sample-route.ts'
import type { RowOwner } from '../record/attempt.ts'
import { AttemptTracing } from './attempt-tracing.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const sampled = `00-${traceId}-b7ad6b7169203331-01`
const unsampled = `00-${traceId}-b7ad6b7169203331-00`

const record = (offset: number, headers: Record<string, string> = {}, value = `"${offset}"`) => ({
  ...{ offset: String(offset), timestamp: '0', key: null, value: Buffer.from(value) },
  headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
})

let roster: Roster
let tracing: Tracing | undefined
afterEach(async () => {
  roster.close()
  await tracing?.close()
})

interface Made {
  readonly endpoint: Endpoint
  readonly collector: TraceCollector
  readonly ratio?: number
  readonly batch?: number
}

/** A lane of one use case, its requests traced. */
function laneOf({ endpoint, collector, ratio = 0, batch }: Made): { lane: Lane; rows: { headers: readonly string[] }[] } {
  tracing = new Tracing({
    ...{ url: collector.url, headers: {}, ratio, process: 'worker', instance: 'i' },
    ...{ queueSpansMax: 100, batchSpansMax: 100, delayMs: 10, timeoutMs: 1000 },
  })
  const batching = batch === undefined ? undefined : { maxRecords: batch, item: BatchItem.ENVELOPE }
  const route = sampleRoute('UNORDERED', endpoint.url, undefined, '', batching)
  const rows: { headers: readonly string[] }[] = []
  roster = new Roster(route, {
    ...{ logIsOpen: () => true, logIsSpooling: () => false, maySend: () => true, onLanded: () => {}, onRateLimited: () => {} },
  })
  roster.endpoint.shareInFlight({ maxInFlight: 1, wholeMaxInFlight: 1, isAdaptive: false })
  const limits = { parkedMax: 1000, parkedBytesMax: 100_000, creditMax: 100, bufferBytesMax: 100_000 }
  const begin = { cursor: 0, parking: new Parking(), known: new KnownEnds([], new Map(), false), credit: 100 }
  const lane = new Lane({ uid: 'u1', cluster: 'default', topic: 't', partition: 3 }, 7, route, limits, begin, {
    attempts: {
      add: (_lane, row, owner: RowOwner<Parked>, slot, entry) => {
        rows.push({ headers: [...row.requestHeaders] })
        owner.acknowledged(slot, entry)
      },
    },
    ranges: { add: () => {} },
    ...{ instance: 'i', nextRequestId: () => 1, windowRecords: 64, tracing: new AttemptTracing(tracing) },
  })
  roster.add({ lane, maySend: true, thirst: () => {} } as unknown as Keeper)
  return { lane, rows }
}

const feed = (lane: Lane, records: readonly ReturnType<typeof record>[]): void => {
  lane.feed([{ hole: undefined, records: records as never, fetched: { bytes: 1, held: 0 } }], 1000)
  roster.pump()
}

test("an attempt is a span in its record's trace, its request a child of it, and the endpoint's parent", async () => {
  await using endpoint = await Endpoint.start()
  await using collector = await TraceCollector.start()
  const { lane, rows } = laneOf({ endpoint, collector })
  feed(lane, [record(5, { traceparent: sampled, tracestate: 'a=1' })])
  await vi.waitFor(() => expect(collector.spans).toHaveLength(2))
  const consume = collector.spans.find(({ kind }) => kind === 'CONSUMER')!
  const request = collector.spans.find(({ kind }) => kind === 'CLIENT')!
  expect(consume).toMatchObject({ name: 'process t', traceId, parentId: 'b7ad6b7169203331', isError: false })
  expect(consume.attributes).toMatchObject({
    ...{ 'messaging.system': 'kafka', 'messaging.destination.name': 't', 'messaging.destination.partition.id': '3' },
    ...{
      'messaging.kafka.offset': 5,
      'messaging.operation.type': 'process',
      'messaging.consumer.group.name': lane.route.plan.group,
    },
    ...{ 'ferry.namespace': 'demo', 'ferry.use_case': 'one', 'ferry.epoch': 7, 'ferry.round': 0, 'ferry.attempt': 1 },
    'ferry.outcome': 'delivered',
  })
  expect(request).toMatchObject({ name: 'POST', traceId, parentId: consume.spanId, isError: false })
  expect(request.attributes).toMatchObject({
    ...{ 'http.request.method': 'POST', 'url.full': endpoint.url, 'server.address': '127.0.0.1', 'server.port': endpoint.port },
    'http.response.status_code': 200,
  })
  const [got] = endpoint.requests
  expect(got!.headers).toMatchObject({ traceparent: `00-${traceId}-${request.spanId}-01`, tracestate: 'a=1' })
  expect(rows[0]!.headers).toContain(`00-${traceId}-${request.spanId}-01`)
})

test('what is not sampled has no span, and its request carries what the record carried', async () => {
  await using endpoint = await Endpoint.start()
  await using collector = await TraceCollector.start()
  const { lane } = laneOf({ endpoint, collector })
  feed(lane, [record(0, { traceparent: unsampled, tracestate: 'a=1' }), record(1), record(2, { traceparent: 'nonsense' })])
  await vi.waitFor(() => expect(endpoint.requests).toHaveLength(3))
  expect(endpoint.requests.map(({ headers }) => [headers['traceparent'], headers['tracestate']])).toEqual([
    [unsampled, 'a=1'],
    [undefined, undefined],
    [undefined, undefined],
  ])
  await tracing!.close()
  expect(collector.spans).toEqual([])
})

test('a record without a trace gets one of its own, the same for all its attempts', async () => {
  let status = 503
  await using endpoint = await Endpoint.start(() => ({ status }))
  await using collector = await TraceCollector.start()
  const { lane } = laneOf({ endpoint, collector, ratio: 1 })
  feed(lane, [record(0)])
  await vi.waitFor(() => expect(collector.spans).toHaveLength(2))
  status = 200
  const [entry] = [...lane.parking.entries()]
  expect(entry).toMatchObject({ offset: 0, attempts: 1 })
  entry!.sending = true
  lane.loaded.push(entry!)
  roster.pump()
  await vi.waitFor(() => expect(collector.spans).toHaveLength(4))
  expect(new Set(collector.spans.map((span) => span.traceId)).size).toBe(1)
  const attempts = collector.spans.filter(({ kind }) => kind === 'CONSUMER')
  expect(
    attempts.map(({ attributes }) => [attributes['ferry.attempt'], attributes['ferry.outcome'], attributes['error.type']]),
  ).toEqual([
    [1, 'retry', 'retryable_status'],
    [2, 'delivered', undefined],
  ])
  expect(attempts.map(({ isError, parentId }) => [isError, parentId])).toEqual([
    [true, ''],
    [false, ''],
  ])
  const requests = collector.spans.filter(({ kind }) => kind === 'CLIENT')
  expect(requests.map(({ attributes }) => [attributes['http.request.resend_count'], attributes['error.type']])).toEqual([
    [undefined, '503'],
    [1, undefined],
  ])
})

test('a record that cannot be decoded has an attempt that failed, and no request', async () => {
  await using endpoint = await Endpoint.start()
  await using collector = await TraceCollector.start()
  const { lane } = laneOf({ endpoint, collector })
  feed(lane, [record(0, { traceparent: sampled }, '{')])
  await vi.waitFor(() => expect(collector.spans).toHaveLength(1))
  expect(collector.spans[0]).toMatchObject({ kind: 'CONSUMER', isError: true })
  expect(collector.spans[0]!.attributes['ferry.outcome']).toBe('failed')
})

test('of a batch each record has its attempt in its own trace, and the request is linked to all of them', async () => {
  await using endpoint = await Endpoint.start()
  await using collector = await TraceCollector.start()
  const { lane } = laneOf({ endpoint, collector, batch: 3 })
  const other = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`
  feed(lane, [record(0, { traceparent: unsampled }), record(1, { traceparent: sampled }), record(2, { traceparent: other })])
  await vi.waitFor(() => expect(collector.spans).toHaveLength(3))
  const consumes = collector.spans.filter(({ kind }) => kind === 'CONSUMER')
  const request = collector.spans.find(({ kind }) => kind === 'CLIENT')!
  expect(consumes.map((span) => [span.attributes['messaging.kafka.offset'], span.traceId])).toEqual([
    [1, traceId],
    [2, '1'.repeat(32)],
  ])
  expect(request).toMatchObject({ traceId, parentId: consumes[0]!.spanId })
  expect(request.links).toEqual(consumes.map((span) => `${span.traceId}/${span.spanId}`))
  expect(request.attributes['messaging.batch.message_count']).toBe(3)
  expect(endpoint.requests[0]!.headers['traceparent']).toBe(`00-${traceId}-${request.spanId}-01`)
})
