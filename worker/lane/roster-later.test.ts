import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { fromJson } from '@bufbuild/protobuf'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { TransformError } from '../../convert/transform/transform-error.ts'
import { Outcome, Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { TransformStepSchema } from '../../proto/gen/ferry/v1/transform_pb.ts'
import { compileRoute } from '../deliver/route.ts'
import type { Keeper } from './keeper.ts'
import { KnownEnds } from './known-ends.ts'
import { Lane } from './lane.ts'
import { Parking } from './parking.ts'
import { Roster } from './roster.ts'
import { sampleMeans, sampleUseCase } from './sample-route.ts'

let server: http.Server
let port: number
let arrived: string[]
let rows: { offset: number; outcome: number; reason: number; error: string }[]
/** What is being made, by the offset in the text. */
let making: Map<number, { make: (text: string) => void; fail: (error: Error) => void }>
let roster: Roster
let maySend: boolean

beforeEach(async () => {
  arrived = []
  rows = []
  making = new Map()
  maySend = true
  server = http.createServer((request, response) => {
    request.on('data', (chunk) => arrived.push(String(chunk)))
    request.on('end', () => response.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterEach(() => {
  roster.close()
  server.close()
  server.closeAllConnections()
})

/** A lane whose bodies are made elsewhere. */
function start(ordering: 'UNORDERED' | 'KEY', offsets: number, maxInFlight: number, windowRecords = 64): Lane {
  const useCase = sampleUseCase(ordering, `http://127.0.0.1:${port}/`)
  useCase.spec!.transform = [fromJson(TransformStepSchema, { jsonata: { expression: '$' } })]
  const evaluate = (_expression: string, text: string) =>
    new Promise<string>((make, fail) => making.set(Number(text), { make, fail }))
  const route = compileRoute(useCase, { ...sampleMeans, jsonata: { evaluate } })
  roster = new Roster(route, {
    ...{ logIsOpen: () => true, logIsSpooling: () => false, maySend: () => maySend, onLanded: () => {} },
    onRateLimited: () => {},
  })
  roster.endpoint.shareInFlight({ maxInFlight, wholeMaxInFlight: 1, isAdaptive: false })
  const limits = { parkedMax: 1000, parkedBytesMax: 100_000, creditMax: 100, bufferBytesMax: 100_000 }
  const begin = { cursor: 0, parking: new Parking(), known: new KnownEnds([], new Map(), ordering === 'KEY'), credit: 100 }
  const lane = new Lane({ uid: 'u1', cluster: 'default', topic: 't', partition: 0 }, 1, route, limits, begin, {
    attempts: {
      add: (_lane, { offset, outcome, reason, error }, owner, slot, entry) => {
        rows.push({ offset, outcome, reason, error })
        owner.acknowledged(slot, entry)
      },
    },
    ranges: { add: () => {} },
    ...{ instance: 'i', nextRequestId: () => 1, windowRecords },
  })
  roster.add({ lane, maySend: true, thirst: () => {} } as unknown as Keeper)
  const records = Array.from({ length: offsets }, (_, offset) => ({
    ...{ offset: String(offset), timestamp: '0', headers: {}, key: Buffer.from('k'), value: Buffer.from(String(offset)) },
  }))
  lane.feed([{ hole: undefined, records, fetched: { bytes: 10, held: 0 } }], offsets)
  return lane
}

const made = (...offsets: number[]): Promise<void> => vi.waitFor(() => expect([...making.keys()]).toEqual(offsets), 5000)
const landed = (count: number): Promise<void> => vi.waitFor(() => expect(rows).toHaveLength(count), 5000)

describe('bodies that are made elsewhere', () => {
  test('are asked for by as many as may be sent at once, and go when they are there', async () => {
    const lane = start('UNORDERED', 4, 2)
    roster.pump()
    await made(0, 1)
    making.get(1)!.make('"one"')
    await made(0, 1, 2)
    for (const offset of [0, 2]) making.get(offset)!.make(`"${offset}"`)
    await made(0, 1, 2, 3)
    making.get(3)!.make('"3"')
    await landed(4)
    expect(arrived.sort()).toEqual(['"0"', '"2"', '"3"', '"one"'])
    expect(rows.map(({ outcome }) => outcome)).toEqual(Array(4).fill(Outcome.DELIVERED))
    expect([lane.inFlight, lane.window.tracker.cursor]).toEqual([0, 4])
  })

  test('keep the order of a key', async () => {
    start('KEY', 2, 4)
    roster.pump()
    await made(0)
    await new Promise((resolve) => setTimeout(resolve, 30))
    await made(0)
    making.get(0)!.make('"first"')
    await made(0, 1)
    making.get(1)!.make('"second"')
    await landed(2)
    expect(arrived).toEqual(['"first"', '"second"'])
  })

  test('that cannot be made end their records, and their slots take the next ones', async () => {
    const lane = start('KEY', 2, 1)
    roster.pump()
    await made(0)
    making.get(0)!.fail(new TransformError('no'))
    await made(0, 1)
    making.get(1)!.make('1')
    await landed(2)
    expect(rows).toMatchObject([
      {
        ...{ offset: 0, outcome: Outcome.FAILED, reason: Reason.TRANSFORM_FAILED },
        error: 'the transform fails at step 1 (jsonata): no',
      },
      { offset: 1, outcome: Outcome.DELIVERED },
    ])
    expect([arrived, lane.inFlight, lane.window.tracker.cursor]).toEqual([['1'], 0, 2])
  })

  test('are not sent when the lane was let go meanwhile: the delivery waits, and has paid nothing', async () => {
    const lane = start('UNORDERED', 1, 1)
    roster.pump()
    await made(0)
    lane.stopped = true
    roster.abort()
    expect(rows).toMatchObject([{ offset: 0, outcome: Outcome.RETRY, reason: Reason.ABORTED }])
    making.get(0)!.make('0')
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect([arrived, rows.length, lane.inFlight, lane.parking.size]).toEqual([[], 1, 0, 1])
  })

  test('are not sent without a lease', async () => {
    const lane = start('UNORDERED', 1, 1)
    roster.pump()
    await made(0)
    maySend = false
    making.get(0)!.make('0')
    await landed(1)
    expect(rows).toMatchObject([{ outcome: Outcome.RETRY, reason: Reason.ABORTED }])
    expect([arrived, lane.inFlight]).toEqual([[], 0])
  })

  test('that take long hold up nobody: their records are passed, and no timeout of requests ends them', async () => {
    const lane = start('UNORDERED', 17, 17, 16)
    roster.pump()
    await vi.waitFor(() => expect(making.size).toBe(16), 5000)
    roster.sweep(performance.now() + 3_600_000)
    expect(rows).toEqual([])
    expect(lane.parking.size).toBe(1)
    for (const { make } of making.values()) make('0')
    await vi.waitFor(() => expect(making.size).toBe(17), 5000)
    making.get(16)!.make('0')
    await landed(17)
    expect(rows.map(({ outcome }) => outcome)).toEqual(Array(17).fill(Outcome.DELIVERED))
  })
})
