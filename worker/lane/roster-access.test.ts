import dns from 'node:dns'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Outcome, Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { compileRoute } from '../deliver/route.ts'
import type { Keeper } from './keeper.ts'
import { KnownEnds } from './known-ends.ts'
import { Lane } from './lane.ts'
import { Parking } from './parking.ts'
import { Roster } from './roster.ts'
import { sampleMeans, sampleUseCase } from './sample-route.ts'

let server: http.Server
let port: number
let arrived: number
let roster: Roster
let rows: { offset: number; outcome: number; reason: number }[]

beforeEach(async () => {
  arrived = 0
  rows = []
  server = http.createServer((_request, response) => {
    arrived++
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterEach(() => {
  vi.restoreAllMocks()
  roster.close()
  server.close()
  server.closeAllConnections()
})

/** A lane with ten records of a use case that has one request slot. */
function start(host: string, allow: string): { lane: Lane; keeper: Keeper } {
  const route = compileRoute(sampleUseCase('UNORDERED', `http://${host}:${port}/`), {
    ...sampleMeans,
    egress: readEgressRules(allow),
  })
  roster = new Roster(route, {
    logIsOpen: () => true,
    logIsSpooling: () => false,
    maySend: () => true,
    onLanded: () => {},
    onRateLimited: () => {},
  })
  const limits = { parkedMax: 1000, parkedBytesMax: 100_000, creditMax: 100, bufferBytesMax: 100_000 }
  const begin = { cursor: 0, parking: new Parking(), known: new KnownEnds([], new Map(), false), credit: 100 }
  const lane = new Lane({ uid: 'u1', cluster: 'default', topic: 't', partition: 0 }, 1, route, limits, begin, {
    attempts: {
      add: (_lane, { offset, outcome, reason }, owner, slot, entry) => {
        rows.push({ offset, outcome, reason })
        owner.acknowledged(slot, entry)
      },
    },
    ranges: { add: () => {} },
    ...{ instance: 'i', nextRequestId: () => 1, windowRecords: 64 },
  })
  const keeper = { lane, maySend: true, thirst: () => {} } as unknown as Keeper
  roster.add(keeper)
  const records = Array.from({ length: 10 }, (_, offset) => ({
    ...{ offset: String(offset), timestamp: '0', headers: {}, key: null, value: Buffer.from('1') },
  }))
  lane.feed([{ hole: undefined, records, fetched: { bytes: 10, held: 0 } }], 10)
  return { lane, keeper }
}

test('a blocked address in the URL holds everything back: no request, no row, nothing waits in Redis', async () => {
  const { lane, keeper } = start('127.0.0.1', '')
  roster.pump()
  expect(roster.conditionOf(keeper)).toBe(LaneCondition.ENDPOINT_BLOCKED)
  expect(roster.route.access.trouble?.message).toMatch(/127\.0\.0\.1 is loopback/)
  expect([arrived, rows, lane.parking.size, lane.intake.records]).toEqual([0, [], 0, 10])
})

test('a name whose address is blocked costs no retry; when it has another, everything is delivered', async () => {
  let address = '10.0.0.1'
  vi.spyOn(dns, 'lookup').mockImplementation(((_name: string, _options: unknown, callback: (...args: unknown[]) => void) => {
    setImmediate(() => callback(null, [{ address, family: 4 }]))
  }) as never)
  const { lane, keeper } = start('orders.example', '127.0.0.1')
  roster.pump()
  await vi.waitFor(() => expect(rows).toHaveLength(1))
  roster.pump()
  expect(rows).toEqual([{ offset: 0, outcome: Outcome.RETRY, reason: Reason.ENDPOINT_BLOCKED }])
  expect(roster.conditionOf(keeper)).toBe(LaneCondition.ENDPOINT_BLOCKED)
  const [waiting] = lane.parking.entries()
  expect(waiting).toMatchObject({ offset: 0, state: 'P', attempts: 1, unpaid: 1, firstMs: 0 })
  address = '127.0.0.1'
  await vi.waitFor(
    () => {
      roster.pump()
      expect(arrived).toBe(9)
    },
    { timeout: 10_000, interval: 20 },
  )
  await vi.waitFor(() => expect(rows.filter((each) => each.outcome === Outcome.DELIVERED)).toHaveLength(9))
  expect(roster.conditionOf(keeper)).toBe(LaneCondition.UNSPECIFIED)
})
