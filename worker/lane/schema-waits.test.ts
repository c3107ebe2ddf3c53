import { beforeEach, describe, expect, test } from 'vitest'
import { DecodeError } from '../../convert/decode/decode-error.ts'
import { type RegisteredSchema, SchemaPending } from '../../convert/decode/registry/schema-source.ts'
import { Outcome, Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { Plan } from '../deliver/plan.ts'
import { KnownEnds } from './known-ends.ts'
import { Lane } from './lane.ts'
import { Load } from './load.ts'
import { packRecord, unpackRecord } from './packed-record.ts'
import { newParked, type Parked } from './parked.ts'
import { Parking } from './parking.ts'
import { sampleRegistryRoute, sampleUseCase } from './sample-route.ts'

/** A registry of which the test says what it knows: by id, true for a schema, false for none at all; the others are to be waited for. */
let known: Map<number, boolean>
let settle: () => void
let pending: SchemaPending
let trouble: string | undefined
let woken: number
let rows: { offset: number; outcome: number; reason: number }[]

function renew(): void {
  let done!: () => void
  pending = new SchemaPending(
    new Promise((resolve) => {
      done = resolve
    }),
    () => trouble,
  )
  settle = done
}

beforeEach(() => {
  known = new Map([[1, true]])
  rows = []
  woken = 0
  trouble = undefined
  renew()
})

function find(id: number): RegisteredSchema {
  const isThere = known.get(id)
  if (isThere === true) return { kind: 'JSON' }
  if (isThere === false) throw new DecodeError('SCHEMA_NOT_FOUND', `schema ${id} is not in the registry`)
  throw pending
}

const record = (offset: number, id: number, key: string | null = null) => ({
  ...{ offset: String(offset), timestamp: '0', headers: {}, key: key === null ? null : Buffer.from(key) },
  value: Buffer.concat([Buffer.from([0, 0, 0, 0, id]), Buffer.from(String(offset))]),
})

function open(ordering: Plan['ordering'], parked: readonly Parked[] = [], filter = ''): Lane {
  const useCase = sampleUseCase(ordering, undefined, undefined, filter)
  const parking = new Parking()
  for (const each of parked) parking.add(each)
  const limits = { parkedMax: 10, parkedBytesMax: 1000, creditMax: 10, bufferBytesMax: 100 }
  const start = { cursor: 100, parking, known: new KnownEnds([], new Map(), ordering === 'KEY'), credit: 10 }
  const route = sampleRegistryRoute(useCase, { find })
  return new Lane({ uid: 'u1', cluster: 'default', topic: 't', partition: 0 }, 1, route, limits, start, {
    attempts: {
      add: (_encoded, { offset, outcome, reason }, owner, slot, entry) => {
        rows.push({ offset, outcome, reason })
        owner.acknowledged(slot, entry)
      },
    },
    ranges: { add: () => {} },
    ...{ instance: 'i', nextRequestId: () => 1, windowRecords: 16, wake: () => woken++ },
  })
}

const feed = (lane: Lane, records: readonly ReturnType<typeof record>[], bytes = 1): void => {
  for (const each of records) lane.feed([{ hole: undefined, records: [each], fetched: { bytes, held: 0 } }], 200)
}

/** Sends all that may be sent now; answers which offsets. */
function sendAll(lane: Lane, loads: Load[] = []): number[] {
  const sent: number[] = []
  for (let load = new Load(); lane.takeFresh(load); load = new Load()) {
    if (!lane.decode(load, 1)) continue
    sent.push(load.row.offset)
    loads.push(load)
  }
  return sent
}

function answer(lane: Lane, load: Load): void {
  const none = Buffer.alloc(0)
  lane.landed(
    {
      ...{ load, status: 200, error: undefined, responseHeaders: [], responseBody: none, responseBytes: 0 },
      ...{ cut: undefined, sentAt: 0, endedAt: 1 },
    },
    1,
  )
}

describe('a fresh record whose schema is not known yet', () => {
  test('waits, and others go on; it goes when the schema is there, and nothing is FAILED', async () => {
    const lane = open('UNORDERED')
    feed(lane, [record(100, 2), record(101, 1), record(102, 2), record(103, 1)])
    expect(sendAll(lane)).toEqual([101, 103])
    expect([lane.inFlight, lane.schemaWaits.size, lane.window.tracker.cursor]).toEqual([2, 2, 100])
    known.set(2, true)
    settle()
    await pending.settled
    expect([woken, lane.schemaWaits.size]).toEqual([1, 0])
    expect(sendAll(lane)).toEqual([100, 102])
    expect([lane.inFlight, rows]).toEqual([4, []])
  })

  test('ends FAILED when the registry says that there is none', async () => {
    const lane = open('UNORDERED')
    feed(lane, [record(100, 2)])
    expect(sendAll(lane)).toEqual([])
    known.set(2, false)
    settle()
    await pending.settled
    expect(sendAll(lane)).toEqual([])
    expect(rows).toEqual([{ offset: 100, outcome: Outcome.FAILED, reason: Reason.DECODE_FAILED }])
    expect([lane.inFlight, lane.window.tracker.cursor]).toEqual([0, 101])
  })

  test('is asked for again after each try, as long as the registry is silent, and its lane says why', async () => {
    const lane = open('UNORDERED')
    feed(lane, [record(100, 2)])
    trouble = 'schema registry default: it is away'
    for (let tries = 0; tries < 3; tries++) {
      expect(sendAll(lane)).toEqual([])
      expect([lane.schemaWaits.size, lane.schemaWaits.trouble]).toEqual([1, trouble])
      const before = pending
      renew2(before)
      await before.settled
    }
    expect(woken).toBe(3)
  })

  test('keeps the order of its key, and other keys overtake', async () => {
    const lane = open('KEY')
    const loads: Load[] = []
    feed(lane, [record(100, 2, 'a'), record(101, 1, 'a'), record(102, 1, 'b'), record(103, 1, 'a')])
    expect(sendAll(lane, loads)).toEqual([102])
    known.set(2, true)
    settle()
    await pending.settled
    expect(sendAll(lane, loads)).toEqual([100])
    answer(lane, loads[1]!)
    expect(sendAll(lane, loads)).toEqual([101])
  })

  test('holds up a partition in its order', async () => {
    const lane = open('PARTITION')
    feed(lane, [record(100, 2), record(101, 1)])
    expect(sendAll(lane)).toEqual([])
    known.set(2, true)
    settle()
    await pending.settled
    expect(sendAll(lane)).toEqual([100])
  })

  test('is filtered when it can be', async () => {
    const lane = open('UNORDERED', [], 'value == 101.0')
    feed(lane, [record(100, 2), record(101, 2)])
    expect(sendAll(lane)).toEqual([])
    known.set(2, true)
    settle()
    await pending.settled
    expect(sendAll(lane)).toEqual([101])
    expect(rows).toEqual([{ offset: 100, outcome: Outcome.SKIPPED, reason: Reason.FILTERED }])
  })

  test('takes no more memory than records that are on their way: then nothing more is taken in', async () => {
    const lane = open('UNORDERED')
    feed(
      lane,
      Array.from({ length: 10 }, (_, at) => record(100 + at, 2)),
      60,
    )
    expect(sendAll(lane)).toEqual([])
    expect([lane.schemaWaits.size, lane.window.heldBytes, lane.intake.records]).toEqual([2, 120, 8])
    known.set(2, true)
    settle()
    await pending.settled
    expect(sendAll(lane)).toEqual([100, 101])
  })

  test('stays where it is when its lane goes: the next owner reads it again', async () => {
    const lane = open('UNORDERED')
    feed(lane, [record(100, 2)])
    sendAll(lane)
    lane.stopped = true
    expect([lane.inFlight, lane.rowsOut, lane.window.tracker.cursor]).toEqual([0, 0, 100])
    settle()
    await pending.settled
    expect(sendAll(lane)).toEqual([])
  })
})

/** The next try is another one to wait for. */
function renew2(before: SchemaPending): void {
  const settleBefore = settle
  renew()
  expect(pending).not.toBe(before)
  settleBefore()
}

test('a parked record whose schema is not known yet waits where it is, a little while, and no try counts', async () => {
  const times = { attempts: 2, unpaid: 0, firstMs: 1, lastMs: 1, dueMs: 0, round: 0 }
  const entry = newParked({
    ...{ offset: 7, state: 'P', keyHash: undefined, settled: true, stored: true, bytes: 20 },
    ...{ where: 'R', packed: packRecord(record(7, 2)), ...times },
  })
  const lane = open('UNORDERED', [entry])
  const retry = (): boolean => {
    const load = new Load()
    if (!lane.takeRetry(load, (each) => unpackRecord(each.packed!, each.offset))) return false
    return lane.decode(load, 1000) === true
  }
  lane.loaded.push(lane.parking.takeDue(1000)!)
  expect(retry()).toBe(false)
  expect([lane.inFlight, lane.loaded.length, lane.parking.nextDueMs(), entry.attempts, entry.packed]).toEqual([
    0,
    0,
    1200,
    2,
    undefined,
  ])
  trouble = 'it is away'
  entry.packed = packRecord(record(7, 2))
  lane.loaded.push(lane.parking.takeDue(1200)!)
  expect(retry()).toBe(false)
  expect([lane.parking.nextDueMs(), lane.schemaWaits.trouble]).toEqual([6000, 'it is away'])
  known.set(2, true)
  entry.packed = packRecord(record(7, 2))
  lane.loaded.push(lane.parking.takeDue(6000)!)
  expect([retry(), rows]).toEqual([true, []])
})
