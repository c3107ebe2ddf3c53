import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { DeliveryClass } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { AdaptiveLimit } from '../deliver/adaptive-limit.ts'
import type { OwnEndpoint } from '../deliver/endpoint.ts'
import { RateLimit } from '../deliver/rate-limit.ts'
import { compileRoute } from '../deliver/route.ts'
import { SharedEndpoint } from '../deliver/shared-endpoint.ts'
import type { Keeper } from './keeper.ts'
import { KnownEnds } from './known-ends.ts'
import { Lane } from './lane.ts'
import { packRecord } from './packed-record.ts'
import { newParked } from './parked.ts'
import { Parking } from './parking.ts'
import { Roster } from './roster.ts'
import { sampleMeans, sampleRoute, sampleUseCase } from './sample-route.ts'

const whole = 1_000_000
const endpointOf = (made: Roster): OwnEndpoint => made.endpoint as OwnEndpoint
const record = (offset: number) => ({
  ...{ offset: String(offset), timestamp: '0', headers: {}, key: null, value: Buffer.from(`"${offset}"`) },
})

let server: http.Server
let url: string
/** Bodies that have arrived, in order. */
let arrived: number[]
let status: number
let delayMs: number
/** Requests of this test that are not answered yet, and the most of them so far. */
let open: { now: number; most: number }
/** Of those, how many to /backfill. */
let backfills: number
let roster: Roster
let waited: { useCase: string; text: string; ms: number }[]
let rosters: Roster[]
let pumping: NodeJS.Timeout[]

beforeEach(async () => {
  arrived = []
  waited = []
  rosters = []
  pumping = []
  status = 200
  delayMs = backfills = 0
  open = { now: 0, most: 0 }
  const own = open
  server = http.createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      arrived.push(Number(JSON.parse(body)))
      if (request.url === '/backfill') backfills++
      own.most = Math.max(own.most, ++own.now)
      setTimeout(() => {
        own.now--
        response.writeHead(status).end()
      }, delayMs)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})
afterEach(() => {
  for (const each of pumping) clearInterval(each)
  for (const each of rosters) each.close()
  server.close()
  server.closeAllConnections()
})

/** A lane with so many records, pumped as the ticker does. */
function start(
  records: number,
  limit: (roster: Roster) => void,
  filter = '',
  route = sampleRoute('UNORDERED', url, undefined, filter),
): { lane: Lane; keeper: Keeper } {
  const made = new Roster(route, {
    ...{ logIsOpen: () => true, logIsSpooling: () => false, maySend: () => true, onLanded: () => {} },
    onRateLimited: ({ name: useCase }, text, ms) => waited.push({ useCase, text, ms }),
  })
  roster = made
  rosters.push(made)
  endpointOf(made).maxInFlight = 8
  limit(made)
  const limits = { parkedMax: 1000, parkedBytesMax: 100_000, creditMax: 100, bufferBytesMax: 1_000_000 }
  const begin = { cursor: 0, parking: new Parking(), known: new KnownEnds([], new Map(), false), credit: 100 }
  const lane = new Lane({ uid: 'u1', cluster: 'default', topic: 't', partition: 0 }, 1, route, limits, begin, {
    attempts: { add: (_lane, _row, owner, slot, entry) => owner.acknowledged(slot, entry) },
    ranges: { add: () => {} },
    ...{ instance: 'i', nextRequestId: () => 1, windowRecords: 16_384 },
  })
  const keeper = { lane, maySend: true, thirst: () => {} } as unknown as Keeper
  made.add(keeper)
  const list = Array.from({ length: records }, (_, offset) => record(offset))
  lane.feed([{ hole: undefined, records: list, fetched: { bytes: 10, held: 0 } }], records)
  pumping.push(setInterval(() => made.pump(), 20))
  made.pump()
  return { lane, keeper }
}

/** A retry that is ready. */
function load(lane: Lane, offset: number): void {
  const packed = packRecord(record(offset))
  const entry = newParked({
    ...{ offset, state: 'P', keyHash: undefined, settled: true, stored: true, sending: true, packed },
    ...{ firstMs: 1, lastMs: 1, dueMs: 0, round: 0, attempts: 1, unpaid: 0 },
  })
  lane.parking.add(entry)
  lane.loaded.push(entry)
}

const limitTo =
  (recordsPerSecond: number, bytesPerSecond?: number) =>
  (made: Roster): void => {
    endpointOf(made).rate = new RateLimit({ recordsPerSecond, bytesPerSecond }, whole, performance.now())
  }

/** How many requests arrive within so long, and how many may by this rate. */
async function countFor(ms: number, perSecond: number): Promise<{ count: number; most: number }> {
  const startMs = performance.now()
  const untilMs = startMs + ms
  const before = arrived.length
  await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(untilMs), { timeout: ms + 5000, interval: 5 })
  // The bucket's credit, the request that may go into debt, and what was on its way.
  const most = perSecond * ((performance.now() - startMs) / 1000 + 0.1) + 2
  return { count: arrived.length - before, most }
}

describe('a roster with a rate limit', () => {
  test('sends so much a second; what waits holds no slot of the window, and is told', async () => {
    const { lane, keeper } = start(10_000, limitTo(100))
    const { count, most } = await countFor(1000, 100)
    expect(count).toBeGreaterThan(30)
    expect(count).toBeLessThanOrEqual(most)
    expect(lane.window.tracker.next).toBeLessThanOrEqual(arrived.length + 8)
    expect(roster.conditionOf(keeper)).toBe(LaneCondition.RATE_LIMITED)
    roster.sweep(performance.now())
    expect(waited).toHaveLength(1)
    expect(waited[0]!.useCase).toBe('namespaces/demo/useCases/one')
    expect(waited[0]!.text).toMatch(/sends 100 of 100 records a second/)
    expect(waited[0]!.ms).toBeGreaterThan(900)
  })

  test('counts what is tried again, and lets fresh records and retries go by turns', async () => {
    const { lane } = start(100, limitTo(50))
    for (let offset = 1000; offset < 1100; offset++) load(lane, offset)
    const { count, most } = await countFor(1000, 50)
    expect(count).toBeLessThanOrEqual(most)
    const retries = arrived.filter((offset) => offset >= 1000).length
    expect(Math.abs(retries * 2 - arrived.length)).toBeLessThanOrEqual(2)
  })

  test('counts failed requests, too', async () => {
    status = 422
    start(10_000, limitTo(100))
    const { count, most } = await countFor(500, 100)
    expect(count).toBeLessThanOrEqual(most)
  })

  test('of bytes counts bodies', async () => {
    // Bodies of 3 to 6 bytes.
    start(10_000, limitTo(1_000_000, 300))
    const { count, most } = await countFor(1000, 100)
    expect(count).toBeGreaterThan(15)
    expect(count).toBeLessThanOrEqual(most)
  })

  test('asks nothing of records that are not sent', async () => {
    const { lane } = start(5000, limitTo(20), 'value == "4999"')
    await vi.waitFor(() => expect(arrived).toEqual([4999]), 5000)
    expect(lane.intake.records).toBe(0)
  })

  test('is not held back when nothing waits', async () => {
    const { lane, keeper } = start(1, limitTo(0.5))
    await vi.waitFor(() => expect(arrived).toEqual([0]), 5000)
    roster.pump()
    expect(lane.intake.records).toBe(0)
    expect(roster.conditionOf(keeper)).toBe(LaneCondition.UNSPECIFIED)
    roster.sweep(performance.now())
    expect(waited).toEqual([])
  })
})

describe('a roster with adaptive concurrency', () => {
  const adapt = (made: Roster): void => {
    endpointOf(made).maxInFlight = 32
    endpointOf(made).adaptive = new AdaptiveLimit(32)
  }

  test('begins with one request, and has soon found out that the endpoint takes all', async () => {
    start(16_000, (made) => {
      adapt(made)
      delayMs = 20
    })
    expect(roster.inFlight).toBe(1)
    await vi.waitFor(() => expect(open.most).toBe(32), 10_000)
  })
})

describe('rosters of an endpoint group', () => {
  test('have places together: LIVE has nearly all of them while it asks for them, BACKFILL a few', async () => {
    const endpoint = new SharedEndpoint('demo/shop', performance.now())
    endpoint.shareInFlight({ maxInFlight: 3, wholeMaxInFlight: 3, isAdaptive: false })
    const join = (made: Roster): void => {
      endpoint.join(made, performance.now())
      made.moveTo(endpoint)
    }
    pumping.push(setInterval(() => endpoint.sweep(performance.now()), 100))
    delayMs = 5
    const backfill = sampleUseCase('UNORDERED', `${url}backfill`)
    backfill.spec!.delivery!.class = DeliveryClass.BACKFILL
    const { keeper } = start(10_000, join, '', compileRoute(backfill, sampleMeans))
    const yielding = roster
    // Nobody is LIVE: it has all.
    await vi.waitFor(() => expect([arrived.length > 50, open.most]).toEqual([true, 3]), 10_000)
    start(10_000, join)
    const [before, fromMs] = [{ all: arrived.length, backfill: backfills }, performance.now()]
    await vi.waitFor(() => expect(performance.now() - fromMs).toBeGreaterThan(3000), 10_000)
    const part = (backfills - before.backfill) / (arrived.length - before.all)
    expect(part).toBeGreaterThan(0.01)
    expect(part).toBeLessThan(0.12)
    expect(open.most).toBeLessThanOrEqual(3)
    expect(yielding.conditionOf(keeper)).toBe(LaneCondition.YIELDING_TO_LIVE)
    expect(yielding.messageOf(keeper, LaneCondition.YIELDING_TO_LIVE)).toBe(
      'endpoint_group demo/shop: namespaces/demo/useCases/one takes what may be sent now',
    )
    expect(roster.conditionOf(keeper)).toBe(LaneCondition.UNSPECIFIED)
  })
})
