import { beforeEach, describe, expect, test } from 'vitest'
import { Outcome, Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { Attempt } from '../record/attempt.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import { KnownEnds } from './known-ends.ts'
import { Lane } from './lane.ts'
import type { RecordSources } from './load-bytes.ts'
import { packRecord } from './packed-record.ts'
import { type NewParked, newParked, type Parked } from './parked.ts'
import { Parking } from './parking.ts'
import { RetryDesk } from './retry-desk.ts'
import { sampleRoute } from './sample-route.ts'

const record = (offset: number, key: string | null = null): KafkaRecord => ({
  ...{ offset: String(offset), key: key === null ? null : Buffer.from(key), timestamp: '0', headers: {} },
  value: Buffer.from(`"${offset}"`),
})

let rows: Pick<Attempt, 'offset' | 'outcome' | 'reason' | 'attempt'>[]
let asked: string[]
let inRedis: Map<number, Buffer>
let inKafka: Set<number>
let inPayloads: Map<number, Buffer>
let failing: Set<string>

beforeEach(() => {
  rows = []
  asked = []
  inRedis = new Map()
  inKafka = new Set()
  inPayloads = new Map()
  failing = new Set()
})

const ask = (source: string, offsets: readonly number[]): void => {
  asked.push(`${source} ${offsets}`)
  if (failing.has(source)) throw new Error(`${source} is away`)
}

const sources: RecordSources = {
  redis: async (offsets) => {
    ask('redis', offsets)
    return offsets.map((offset) => inRedis.get(offset))
  },
  kafka: async (offsets, take) => {
    ask('kafka', offsets)
    for (const offset of offsets) if (inKafka.has(offset)) take(record(offset), offset)
  },
  payloads: async (offsets) => {
    ask('payloads', offsets)
    return inPayloads
  },
  lastEnds: async () => new Map(),
}

function openDesk(entries: readonly Partial<NewParked>[], ordering: 'UNORDERED' | 'KEY' = 'UNORDERED', bufferBytesMax = 1000) {
  const parking = new Parking()
  for (const [offset, over] of entries.entries())
    parking.add(
      newParked({
        ...{
          offset,
          state: 'P',
          keyHash: undefined,
          attempts: 1,
          unpaid: 0,
          firstMs: 1,
          lastMs: 1,
          dueMs: 0,
          round: 0,
          settled: true,
        },
        ...{ stored: true, bytes: 20 },
        ...over,
      }),
    )
  const limits = { parkedMax: 100, parkedBytesMax: 1000, creditMax: 10, bufferBytesMax }
  const start = { cursor: 100, parking, known: new KnownEnds([], new Map(), ordering === 'KEY'), credit: 10 }
  const lane = new Lane({ uid: 'u', cluster: 'c', topic: 't', partition: 0 }, 1, sampleRoute(ordering), limits, start, {
    attempts: {
      add: (_lane, { offset, outcome, reason, attempt }, owner, slot, entry) => {
        rows.push({ offset, outcome, reason, attempt })
        owner.acknowledged(slot, entry)
      },
    },
    ranges: { add: () => {} },
    ...{ instance: 'i', nextRequestId: () => 1, windowRecords: 16 },
  })
  return { lane, parking, desk: new RetryDesk(lane, sources, { warn: () => {} }) }
}

const loaded = ({ loaded: all }: { loaded: readonly Parked[] }): number[] => all.map((each) => each.offset)

describe('parked deliveries that are due', () => {
  test('get their bytes from memory, Redis, Kafka or the log, whoever has them', async () => {
    const { lane, desk } = openDesk([
      { where: 'R', packed: packRecord(record(0)), stored: false },
      { where: 'R' },
      { where: 'R' },
      { where: 'K' },
      { where: 'K' },
    ])
    inRedis.set(1, packRecord(record(1)))
    inKafka.add(2).add(3)
    inPayloads.set(4, packRecord(record(4)))
    expect(await desk.prepare(10)).toBe(true)
    expect(asked).toEqual(['redis 1,2', 'kafka 2,3,4', 'payloads 4'])
    expect(loaded(lane)).toEqual([0, 1, 2, 3, 4])
    expect(lane.loaded.every((each) => each.packed !== undefined)).toBe(true)
  })

  test('end FAILED when nobody has their bytes', async () => {
    const { lane, parking, desk } = openDesk([{ where: 'K' }, { where: 'K', batch: 'b', round: 1 }])
    expect(await desk.prepare(10)).toBe(false)
    expect(rows.map((row) => [row.offset, row.outcome, row.reason, row.attempt])).toEqual([
      [0, Outcome.FAILED, Reason.PAYLOAD_EXPIRED, 0],
      [1, Outcome.FAILED, Reason.PAYLOAD_EXPIRED, 0],
    ])
    expect([parking.size, lane.loaded.length]).toEqual([0, 0])
  })

  test('are tried again later when a source does not answer, and those that have come go on', async () => {
    const { lane, desk, parking } = openDesk([{ where: 'R' }, { where: 'K' }])
    inRedis.set(0, packRecord(record(0)))
    inKafka.add(1)
    failing.add('kafka')
    expect(await desk.prepare(10)).toBe(true)
    expect(loaded(lane)).toEqual([0])
    expect(parking.nextDueMs()).toBe(1010)
    failing.clear()
    await desk.prepare(1010)
    expect(loaded(lane)).toEqual([0, 1])
  })

  test('that the log has lost go in the order of their keys, which only their bytes say', async () => {
    const lost = { round: 1, attempts: 0, batch: 'b' }
    const { lane, parking, desk } = openDesk([lost, lost, lost, lost], 'KEY')
    for (const [offset, key] of [
      [0, 'a'],
      [1, 'a'],
      [2, 'z'],
      [3, null],
    ] as const) // prettier-ignore
      inPayloads.set(offset, packRecord(record(offset, key)))
    await desk.prepare(10)
    expect(loaded(lane)).toEqual([3])
    await desk.prepare(11)
    expect(loaded(lane)).toEqual([3, 0, 2])
    expect(parking.get(1)).toMatchObject({ state: 'B', sending: false })
    parking.end(parking.get(0)!, 12)
    await desk.prepare(13)
    expect(loaded(lane)).toEqual([3, 0, 2, 1])
  })

  test('are not ended by one who has let the lane go', async () => {
    const { lane, desk } = openDesk([{ where: 'K' }])
    const prepared = desk.prepare(10)
    lane.stopped = true
    await prepared
    expect(rows).toEqual([])
  })

  test('are loaded only as far as the lane’s memory goes', async () => {
    const entries = Array.from({ length: 10 }, () => ({ where: 'K' as const, bytes: 400 }))
    const { lane, desk } = openDesk(entries, 'UNORDERED', 1000)
    for (let offset = 0; offset < 10; offset++) inKafka.add(offset)
    await desk.prepare(10)
    expect(asked).toEqual(['kafka 0,1,2'])
    lane.loaded.length = 0
    await desk.prepare(20)
    expect(asked.at(-1)).toBe('kafka 3,4,5')
  })

  test('of a later round wait until Redis knows its number, and end SUPERSEDED when a newer one was delivered', async () => {
    const { lane, desk, parking } = openDesk([
      { where: 'K', round: 1, stored: false, batch: 'b' },
      { where: 'K', round: 1, batch: 'b', stale: true },
    ])
    inKafka.add(0)
    await desk.prepare(10)
    expect(loaded(lane)).toEqual([])
    expect(rows).toMatchObject([{ offset: 1, outcome: Outcome.SUPERSEDED, reason: Reason.NEWER_DELIVERED }])
    parking.storedAs(parking.get(0)!, 1)
    await desk.prepare(parking.nextDueMs())
    expect(loaded(lane)).toEqual([0])
  })

  test('in order of keys wait for a fresh record of their key that is on its way, and for what is to be read before them', async () => {
    const { lane, desk, parking } = openDesk([{ where: 'K', keyHash: 7 }], 'KEY')
    inKafka.add(0).add(150)
    const unread = newParked({ ...parking.get(0)!, offset: 150, keyHash: 8 })
    parking.add(Object.assign(unread, { stored: true }))
    lane.window.admit(record(100), { bytes: 1, held: 0 }, 100, 7)
    await desk.prepare(10)
    expect(loaded(lane)).toEqual([])
    lane.window.order!.leave(lane.window.takeReady())
    await desk.prepare(parking.nextDueMs())
    expect(loaded(lane)).toEqual([0])
    lane.window.admitSilent(150)
    await desk.prepare(parking.nextDueMs())
    expect(loaded(lane)).toEqual([0, 150])
  })
})
