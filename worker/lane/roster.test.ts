import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { RowOwner } from '../record/attempt.ts'
import type { Keeper } from './keeper.ts'
import { KnownEnds } from './known-ends.ts'
import { Lane } from './lane.ts'
import { packRecord } from './packed-record.ts'
import { newParked, type Parked } from './parked.ts'
import { Parking } from './parking.ts'
import { Roster } from './roster.ts'
import { sampleRoute } from './sample-route.ts'

const record = (offset: number, key: string | null = null) => ({
  ...{ offset: String(offset), timestamp: '0', headers: {}, key: key === null ? null : Buffer.from(key) },
  value: Buffer.from(`"${offset}"`),
})

let server: http.Server
let url: string
/** What is on its way at the endpoint, by the offset in the body. */
let open: Map<number, http.ServerResponse>
let answer: (offset: number, response: http.ServerResponse) => void
let roster: Roster | undefined
let rows: { offset: number; outcome: number; attempt: number }[]

beforeEach(async () => {
  open = new Map()
  rows = []
  answer = (offset, response) => open.set(offset, response)
  server = http.createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => answer(Number(JSON.parse(body)), response))
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

interface Options {
  readonly maxInFlight?: number
  readonly ordering?: 'UNORDERED' | 'KEY'
  readonly maySend?: () => boolean
  readonly windowRecords?: number
  readonly to?: string
  readonly filter?: string
}

function start({
  maxInFlight = 4,
  ordering = 'UNORDERED',
  maySend = () => true,
  windowRecords = 64,
  to = url,
  filter = '',
}: Options = {}) {
  const route = sampleRoute(ordering, to, undefined, filter)
  const made = new Roster(route, {
    ...{ logIsOpen: () => true, logIsSpooling: () => false, maySend, onLanded: () => {}, onRateLimited: () => {} },
  })
  made.endpoint.shareInFlight({ maxInFlight, wholeMaxInFlight: 1, isAdaptive: false })
  roster = made
  const addLane = (partition: number): Lane => {
    const limits = { parkedMax: 1000, parkedBytesMax: 100_000, creditMax: 100, bufferBytesMax: 100_000 }
    const begin = { cursor: 0, parking: new Parking(), known: new KnownEnds([], new Map(), ordering === 'KEY'), credit: 100 }
    const lane = new Lane({ uid: 'u1', cluster: 'default', topic: 't', partition }, 1, route, limits, begin, {
      attempts: {
        add: (_lane, { offset, outcome, attempt }, owner: RowOwner<Parked>, slot, entry) => {
          rows.push({ offset, outcome, attempt })
          owner.acknowledged(slot, entry)
        },
      },
      ranges: { add: () => {} },
      ...{ instance: 'i', nextRequestId: () => 1, windowRecords },
    })
    made.add({ lane, maySend: true, thirst: () => {} } as unknown as Keeper)
    return lane
  }
  return { roster: made, addLane }
}

const feed = (lane: Lane, offsets: readonly number[], key: string | null = null, bytes = 1): void =>
  lane.feed([{ hole: undefined, records: offsets.map((offset) => record(offset, key)), fetched: { bytes, held: 0 } }], 1000)

/** A retry that is ready. */
function load(lane: Lane, offset: number): void {
  const packed = packRecord(record(offset))
  const times = { firstMs: 1, lastMs: 1, dueMs: 0, round: 0, attempts: 1, unpaid: 0 }
  const entry = newParked({
    offset,
    state: 'P',
    keyHash: undefined,
    settled: true,
    stored: true,
    sending: true,
    packed,
    ...times,
  })
  lane.parking.add(entry)
  lane.loaded.push(entry)
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, offset) => offset)
const arrived = (count: number): Promise<void> => vi.waitFor(() => expect(open.size).toBe(count), 5000)
const landed = (count: number): Promise<void> => vi.waitFor(() => expect(rows).toHaveLength(count), 5000)

function reply(offset: number, status = 200): void {
  open.get(offset)!.writeHead(status).end()
  open.delete(offset)
}

describe('a roster', () => {
  test('keeps as many requests on their way as it may, and a slot that lands takes the next record', async () => {
    const { roster, addLane } = start({ maxInFlight: 3 })
    feed(addLane(0), upTo(5))
    roster.pump()
    await arrived(3)
    reply(1)
    await vi.waitFor(() => expect([...open.keys()].sort()).toEqual([0, 2, 3]), 5000)
  })

  test.each([
    ['leaves out', "value == '4999'", 1, 0],
    ['cannot decide about', 'value.absent', 0, 5000],
  ])('lets others go first when a filter %s many records', async (_, filter, requests, failures) => {
    const { roster, addLane } = start({ filter, windowRecords: 8192 })
    const lane = addLane(0)
    feed(lane, upTo(5000))
    roster.pump()
    expect(lane.intake.records).toBeGreaterThan(0)
    await arrived(requests)
    await landed(failures)
    expect(lane.intake.records).toBe(0)
  })

  test('uses all of its slots for a fetch that is larger than its lane may hold, and waits before it begins another', async () => {
    const { roster, addLane } = start()
    const lane = addLane(0)
    feed(lane, upTo(6), null, 200_000)
    feed(lane, [6, 7, 8], null, 200_000)
    roster.pump()
    await arrived(4)
    reply(0)
    reply(1)
    await vi.waitFor(() => expect([...open.keys()]).toEqual([2, 3, 4, 5]), 5000)
    for (const offset of [2, 3, 4]) reply(offset)
    await landed(5)
    expect(open.has(6)).toBe(false)
    reply(5)
    await landed(6)
    roster.pump()
    await vi.waitFor(() => expect([...open.keys()]).toEqual([6, 7, 8]), 5000)
  })

  test('gives each lane its turn', async () => {
    const { roster, addLane } = start({ maxInFlight: 4 })
    feed(addLane(0), [0, 1, 2, 3])
    feed(addLane(1), [10, 11, 12, 13])
    roster.pump()
    await arrived(4)
    expect([...open.keys()].sort((a, b) => a - b)).toEqual([0, 1, 10, 11])
  })

  test('gives slots back when its share has become smaller, idle ones at once and others when they land', async () => {
    const { roster, addLane } = start({ maxInFlight: 4 })
    const lane = addLane(0)
    feed(lane, upTo(4))
    roster.pump()
    await arrived(4)
    roster.endpoint.shareInFlight({ maxInFlight: 1, wholeMaxInFlight: 1, isAdaptive: false })
    feed(lane, [4, 5, 6])
    for (const offset of upTo(4)) reply(offset)
    await landed(4)
    roster.pump()
    await arrived(1)
    expect([...open.keys()]).toEqual([4])
  })

  test('lets retries take half of its slots while fresh records wait, and all when none do', async () => {
    const { roster, addLane } = start({ maxInFlight: 4 })
    const lane = addLane(0)
    for (const offset of [100, 101, 102, 103]) load(lane, offset)
    feed(lane, upTo(2))
    roster.pump()
    await arrived(4)
    expect([...open.keys()].sort((a, b) => a - b)).toEqual([0, 1, 100, 101])
    reply(0)
    await vi.waitFor(() => expect(open.has(102)).toBe(true), 5000)
  })

  test('uses a single slot for retries and fresh records by turns', async () => {
    const { roster, addLane } = start({ maxInFlight: 1 })
    const order: number[] = []
    answer = (offset, response) => {
      order.push(offset)
      response.writeHead(200).end()
    }
    const lane = addLane(0)
    for (const offset of [100, 101, 102]) load(lane, offset)
    feed(lane, upTo(3))
    roster.pump()
    await landed(6)
    expect(order).toEqual([100, 0, 101, 1, 102, 2])
  })

  test('sends nothing without a lease, also not from the landing of a request that was on its way', async () => {
    let hasLease = true
    const { roster, addLane } = start({ maxInFlight: 1, maySend: () => hasLease })
    feed(addLane(0), upTo(3))
    roster.pump()
    await arrived(1)
    hasLease = false
    reply(0)
    await landed(1)
    roster.pump()
    hasLease = true
    roster.pump()
    await arrived(1)
    expect([...open.keys()]).toEqual([1])
  })

  test('is not carried away by requests that fail as they are sent: the breaker ends it', async () => {
    const { roster, addLane } = start({ maxInFlight: 2, windowRecords: 16_384 })
    const lane = addLane(0)
    feed(lane, upTo(10_000))
    // No header may have a line end: undici refuses each request at once.
    Object.assign(lane.headers, { keyPrefix: 'bad\nvalue' })
    roster.pump()
    await vi.waitFor(() => expect(roster.endpoint.breaker.state).toBe('OPEN'), 5000)
    await vi.waitFor(() => expect(lane.inFlight).toBe(0), 5000)
    expect(rows.length).toBeGreaterThanOrEqual(20)
    expect(rows.length).toBeLessThan(30)
    expect(roster.conditionOf({ lane } as Keeper)).toBe(LaneCondition.BREAKER_OPEN)
  })

  test('goes on with all slots at once when a probe has succeeded', async () => {
    const { roster, addLane } = start({ maxInFlight: 16 })
    const lane = addLane(0)
    feed(lane, upTo(100))
    answer = (_offset, response) => response.writeHead(503).end()
    roster.pump()
    await vi.waitFor(() => expect([roster.endpoint.breaker.state, lane.inFlight]).toEqual(['OPEN', 0]), 5000)
    answer = (offset, response) => open.set(offset, response)
    await vi.waitFor(() => {
      roster.pump()
      expect(open.size).toBe(10)
    }, 5000)
    reply([...open.keys()][0]!)
    await arrived(16)
  })

  test('lets pass a request that hangs while its lane has no room left, and takes its answer when it comes', async () => {
    const { roster, addLane } = start({ maxInFlight: 2, windowRecords: 16 })
    const lane = addLane(0)
    feed(lane, upTo(40))
    answer = (offset, response) => (offset === 0 ? open.set(0, response) : response.writeHead(200).end())
    roster.pump()
    await landed(15)
    expect(lane.window.tracker.cursor).toBe(0)
    roster.sweep(performance.now())
    expect(lane.parking.size).toBe(0)
    roster.sweep(performance.now() + 1500)
    expect(lane.parking.get(0)).toMatchObject({ state: 'S', attempts: 1, sending: true, settled: true })
    expect(lane.window.tracker.cursor).toBe(16)
    roster.pump()
    await landed(39)
    reply(0)
    await landed(40)
    expect([lane.parking.size, lane.inFlight, lane.window.tracker.cursor]).toEqual([0, 0, 40])
  })

  test('aborts what is on its way for one lane only; it waits for its next attempt and has paid nothing', async () => {
    const { roster, addLane } = start({ maxInFlight: 4 })
    const [one, two] = [addLane(0), addLane(1)]
    feed(one, [0, 1])
    feed(two, [10, 11])
    roster.pump()
    await arrived(4)
    one.stopped = true
    roster.abort({ lane: one } as Keeper)
    expect([one.inFlight, two.inFlight, one.parking.size]).toEqual([0, 2, 2])
    expect(one.parking.get(0)).toMatchObject({ state: 'P', attempts: 1, unpaid: 1, firstMs: 0 })
  })
})
