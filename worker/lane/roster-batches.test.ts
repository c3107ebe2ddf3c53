import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { BatchFormat, BatchItem } from '../../proto/gen/ferry/v1/batching_pb.ts'
import { Outcome, Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { Attempt, RowOwner } from '../record/attempt.ts'
import type { Keeper } from './keeper.ts'
import { KnownEnds } from './known-ends.ts'
import { Lane } from './lane.ts'
import type { Parked } from './parked.ts'
import { Parking } from './parking.ts'
import { Roster } from './roster.ts'
import { sampleEventsRoute, sampleRoute } from './sample-route.ts'
import { takeDue } from './take-due.ts'

interface Request {
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
  readonly response: http.ServerResponse
}

let server: http.Server
let url: string
let requests: Request[]
let answer: (request: Request) => void
let roster: Roster | undefined
let rows: Attempt[]

beforeEach(async () => {
  requests = []
  rows = []
  answer = () => {}
  server = http.createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      const received = { headers: request.headers, body, response }
      requests.push(received)
      answer(received)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})
afterEach(() => {
  roster?.close()
  server.close()
  server.closeAllConnections()
})

type Batch = NonNullable<Parameters<typeof sampleRoute>[4]>

function start(
  batch: Batch,
  ordering: 'UNORDERED' | 'KEY' | 'PARTITION' = 'UNORDERED',
  windowRecords = 64,
  route = sampleRoute(ordering, url, undefined, '', batch),
) {
  roster = new Roster(route, {
    logIsOpen: () => true,
    logIsSpooling: () => false,
    maySend: () => true,
    onLanded: () => {},
    onRateLimited: () => {},
  })
  roster.endpoint.shareInFlight({ maxInFlight: 4, wholeMaxInFlight: 1, isAdaptive: false })
  const limits = { parkedMax: 1000, parkedBytesMax: 100_000, creditMax: 100, bufferBytesMax: 100_000 }
  const begin = { cursor: 0, parking: new Parking(), known: new KnownEnds([], new Map(), ordering !== 'UNORDERED'), credit: 100 }
  let requestId = 0
  const lane = new Lane({ uid: 'u1', cluster: 'default', topic: 't', partition: 0 }, 1, route, limits, begin, {
    attempts: {
      add: (_lane, row, owner: RowOwner<Parked>, slot, entry) => {
        rows.push({ ...row, requestHeaders: [...row.requestHeaders] })
        owner.acknowledged(slot, entry)
      },
    },
    ranges: { add: () => {} },
    ...{ instance: 'i', nextRequestId: () => ++requestId, windowRecords },
  })
  roster.add({ lane, maySend: true, thirst: () => {} } as unknown as Keeper)
  return { roster, lane }
}

const feed = (lane: Lane, values: readonly unknown[], from = 0, keys: readonly string[] = []): void =>
  lane.feed(
    [
      {
        hole: undefined,
        records: values.map((value, at) => ({
          ...{ offset: String(from + at), timestamp: '0', headers: {} },
          key: keys[at] === undefined ? null : Buffer.from(keys[at]),
          value: Buffer.from(JSON.stringify(value)),
        })),
        fetched: { bytes: 1, held: 0 },
      },
    ],
    1000,
  )

const upTo = (count: number): number[] => Array.from({ length: count }, (_, offset) => offset)
const arrived = (count: number): Promise<void> => vi.waitFor(() => expect(requests).toHaveLength(count), 5000)
const landed = (count: number): Promise<void> => vi.waitFor(() => expect(rows).toHaveLength(count), 5000)
const bodies = (): unknown[] => requests.map(({ body }) => JSON.parse(body))

test('a full batch leaves at once, and what is left over when it has waited', async () => {
  const { roster, lane } = start({ maxRecords: 4, maxWait: durationFromMs(150) })
  feed(lane, upTo(6))
  const fedAt = performance.now()
  roster.pump()
  await arrived(1)
  await vi.waitFor(() => {
    roster.pump()
    expect(requests).toHaveLength(2)
  }, 5000)
  expect(performance.now() - fedAt).toBeGreaterThan(140)
  expect(bodies()).toEqual([
    [0, 1, 2, 3],
    [4, 5],
  ])
  expect(requests[0]!.headers).toMatchObject({
    'content-type': 'application/json',
    'ferry-batch': '4',
    'ferry-record': 't/0/0-3',
    'ferry-attempt': '1.0.1',
    'idempotency-key': expect.stringMatching(/^u1\/default\/t\/0\/0-3\/4\/[0-9a-f]{16}$/),
  })
})

test('max_bytes bounds the body; a record that is longer goes alone', async () => {
  const { roster, lane } = start({ maxRecords: 100, maxBytes: 20, maxWait: durationFromMs(0) })
  feed(lane, ['aaaa', 'bbbb', 'cccc', 'x'.repeat(40), 'd'])
  answer = ({ response }) => response.end()
  roster.pump()
  await landed(5)
  expect(bodies()).toEqual([['aaaa', 'bbbb'], ['cccc'], ['x'.repeat(40)], ['d']])
  expect(rows.every(({ outcome }) => outcome === Outcome.DELIVERED)).toBe(true)
  expect(lane.window.tracker.cursor).toBe(5)
})

test('NDJSON with envelopes names each record', async () => {
  const { roster, lane } = start({ maxWait: durationFromMs(0), format: BatchFormat.NDJSON, item: BatchItem.ENVELOPE })
  feed(lane, [{ a: 1 }, 'two'], 7)
  roster.pump()
  await arrived(1)
  expect(requests[0]!.headers['content-type']).toBe('application/x-ndjson')
  const lines = requests[0]!.body.split('\n')
  expect(lines.pop()).toBe('')
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { id: 'u1/default/t/0/7', record: 't/0/7', attempt: '1.0.1', value: { a: 1 } },
    { id: 'u1/default/t/0/8', record: 't/0/8', attempt: '1.0.1', value: 'two' },
  ])
})

test('the answer may name failed records: each ends, or waits, by what was said of it', async () => {
  const { roster, lane } = start({ maxWait: durationFromMs(0) })
  feed(lane, upTo(5))
  const failures = [{ index: 1, status: 422, error: 'no' }, { index: 2, status: 503 }, { index: 3, retry: false }, { index: 4 }]
  answer = ({ response }) => response.end(JSON.stringify({ failures }))
  roster.pump()
  await landed(5)
  expect(rows.map(({ offset, outcome, reason, status, error }) => [offset, outcome, reason, status, error])).toEqual([
    [0, Outcome.DELIVERED, 0, 200, ''],
    [1, Outcome.FAILED, Reason.NON_RETRYABLE_STATUS, 422, 'no'],
    [2, Outcome.RETRY, Reason.RETRYABLE_STATUS, 503, ''],
    [3, Outcome.FAILED, Reason.NON_RETRYABLE_STATUS, 200, ''],
    [4, Outcome.RETRY, Reason.RETRYABLE_STATUS, 200, ''],
  ])
  // One request: what is its own stands in the row of its first record.
  expect(new Set(rows.map(({ requestId }) => requestId))).toEqual(new Set([1]))
  expect(rows.map(({ item }) => item)).toEqual(upTo(5))
  expect(rows.map(({ requestHeaders, responseBody }) => [requestHeaders.length > 0, responseBody.length > 0])).toEqual([
    [true, true],
    ...Array(4).fill([false, false]),
  ])
  expect(rows.map(({ requestBody }) => requestBody.toString())).toEqual(['0', '1', '2', '3', '4'])
  expect([lane.inFlight, lane.parking.size]).toEqual([0, 2])
})

test('an answer whose failures cannot be read delivers nothing, and all are tried again', async () => {
  const { roster, lane } = start({ maxWait: durationFromMs(0) })
  feed(lane, upTo(3))
  answer = ({ response }) => response.end('{"failures": [{"index": 3}]}')
  roster.pump()
  await landed(3)
  expect(rows.map(({ outcome, reason }) => [outcome, reason])).toEqual(Array(3).fill([Outcome.RETRY, Reason.INVALID_RESPONSE]))
  expect(rows[0]!.error).toContain('index 3; the batch has 0 to 2')
})

test('a refused batch is halved until the record that is to blame is alone; the others are delivered', async () => {
  const { roster, lane } = start({ maxRecords: 16, maxWait: durationFromMs(0) })
  feed(lane, upTo(16))
  answer = ({ body, response }) => response.writeHead(JSON.parse(body).includes(11) ? 422 : 200).end()
  roster.pump()
  await vi.waitFor(() => {
    takeDue(lane, Date.now())
    roster.pump()
    expect(lane.window.tracker.cursor).toBe(16)
    expect(lane.parking.size).toBe(0)
  }, 5000)
  const ends = rows.filter(({ outcome }) => outcome !== Outcome.RETRY)
  expect(ends.filter(({ outcome }) => outcome === Outcome.FAILED).map(({ offset }) => offset)).toEqual([11])
  expect(ends).toHaveLength(16)
  expect(bodies().map((each) => (each as unknown[]).length)).toEqual([16, 8, 8, 4, 4, 2, 2, 1, 1])
  const waits = rows.filter(({ outcome }) => outcome === Outcome.RETRY)
  expect(new Set(waits.map(({ reason }) => reason))).toEqual(new Set([Reason.BATCH_REFUSED]))
})

test('after a status that is worth another attempt all wait, and go out together again with the same key', async () => {
  const { roster, lane } = start({ maxWait: durationFromMs(0) })
  feed(lane, upTo(3))
  answer = ({ response }) => response.writeHead(requests.length === 1 ? 503 : 200, { 'retry-after': '0' }).end('z'.repeat(1000))
  roster.pump()
  await landed(3)
  expect(rows.map(({ responseBody, responseBytes }) => [responseBody.length, responseBytes])).toEqual([
    [1000, 1000],
    [200, 0],
    [200, 0],
  ])
  expect(new Set([0, 1, 2].map((offset) => lane.parking.get(offset)!.dueMs)).size).toBe(1)
  expect(takeDue(lane, Date.now() + 10_000)).toEqual([])
  roster.pump()
  await landed(6)
  expect(bodies()[1]).toEqual([0, 1, 2])
  expect(requests[1]!.headers['idempotency-key']).toBe(requests[0]!.headers['idempotency-key'])
  expect(requests[1]!.headers['ferry-attempt']).toBe('1.0.2')
  expect(rows.slice(3).map(({ outcome, attempt }) => [outcome, attempt])).toEqual(Array(3).fill([Outcome.DELIVERED, 2]))
})

test('in KEY order a batch has no key twice', async () => {
  const { roster, lane } = start({ maxWait: durationFromMs(0) }, 'KEY')
  feed(lane, upTo(5), 0, ['a', 'b', 'a', 'c', 'b'])
  answer = ({ response }) => response.end()
  roster.pump()
  await landed(5)
  expect(bodies()).toEqual([
    [0, 1, 3],
    [2, 4],
  ])
})

test('in PARTITION order one batch is on its way, and what is behind a failed record goes after it', async () => {
  const { roster, lane } = start({ maxRecords: 4, maxWait: durationFromMs(0) }, 'PARTITION')
  feed(lane, upTo(8))
  roster.pump()
  await arrived(1)
  roster.pump()
  expect(bodies()).toEqual([[0, 1, 2, 3]])
  answer = ({ response }) => response.end()
  requests[0]!.response.end('{"failures": [{"index": 1, "status": 503}]}')
  await landed(4)
  expect(rows.map(({ offset, outcome, reason }) => [offset, outcome, reason])).toEqual([
    [1, Outcome.RETRY, Reason.RETRYABLE_STATUS],
    [2, Outcome.RETRY, Reason.BEHIND_FAILED_ITEM],
    [3, Outcome.RETRY, Reason.BEHIND_FAILED_ITEM],
    [0, Outcome.DELIVERED, 0],
  ])
  takeDue(lane, Date.now() + 10_000)
  roster.pump()
  await landed(11)
  expect(bodies()).toEqual([
    [0, 1, 2, 3],
    [1, 2, 3],
    [4, 5, 6, 7],
  ])
})

test('a batch that hangs while its lane has no room left lets it pass, and its answer still counts', async () => {
  const { roster, lane } = start({ maxRecords: 8, maxWait: durationFromMs(0) }, 'UNORDERED', 16)
  feed(lane, upTo(40))
  answer = ({ body, response }) => (JSON.parse(body)[0] === 0 ? undefined : response.end())
  roster.pump()
  await landed(8)
  roster.sweep(performance.now() + 1500)
  expect(lane.parking.size).toBe(8)
  expect(lane.window.tracker.cursor).toBe(16)
  roster.pump()
  await landed(32)
  requests[0]!.response.end('{"failures": [{"index": 2, "retry": false}]}')
  await landed(40)
  expect(lane.parking.size).toBe(0)
  expect(rows.filter(({ outcome }) => outcome === Outcome.FAILED).map(({ offset }) => offset)).toEqual([2])
})

test('an aborted batch costs nothing: all of it waits for another attempt', async () => {
  const { roster, lane } = start({ maxWait: durationFromMs(0) })
  feed(lane, upTo(3))
  roster.pump()
  await arrived(1)
  lane.stopped = true
  roster.abort({ lane } as Keeper)
  expect([lane.inFlight, lane.parking.size]).toEqual([0, 3])
  for (const offset of upTo(3))
    expect(lane.parking.get(offset)).toMatchObject({ state: 'P', attempts: 1, unpaid: 1, together: 0 })
})

test('CloudEvents share a request as an array of events, of which one may be named as failed', async () => {
  const batch = { maxRecords: 3, maxBytes: 2048 }
  const { roster, lane } = start(batch, 'UNORDERED', 64, sampleEventsRoute('UNORDERED', url, batch))
  answer = ({ response }) => response.end('{"failures": [{"index": 1, "status": 422}]}')
  feed(lane, [{ n: 0 }, { n: 1 }, { n: 2 }])
  roster.pump()
  await landed(3)
  expect(requests[0]!.headers['content-type']).toBe('application/cloudevents-batch+json; charset=utf-8')
  const events = JSON.parse(requests[0]!.body) as { id: string; data: unknown }[]
  expect(events).toHaveLength(3)
  for (const [at, event] of events.entries())
    expect(event).toMatchObject({
      ...{ specversion: '1.0', id: `t/0/${at}`, source: '/namespaces/demo/useCases/one', type: 't' },
      ...{ datacontenttype: 'application/json', data: { n: at } },
    })
  expect(rows.map(({ outcome }) => outcome)).toEqual([Outcome.DELIVERED, Outcome.FAILED, Outcome.DELIVERED])
  // Each has its own event in the log.
  expect(rows.map(({ requestBody }) => JSON.parse(String(requestBody)))).toEqual(events)
  // What an event adds counts for max_bytes.
  requests = []
  answer = ({ response }) => response.end()
  feed(lane, ['x'.repeat(700), 'y'.repeat(700), 'z'.repeat(700)], 3)
  roster.pump()
  await landed(6)
  expect(requests.every(({ body }) => body.length <= 2048)).toBe(true)
  expect(requests.map(({ body }) => (JSON.parse(body) as unknown[]).length).sort()).toEqual([1, 2])
})
