import { expect, test } from 'vitest'
import { Outcome, Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { Attempt } from '../record/attempt.ts'
import type { DeadLetter } from './dead-letter.ts'
import { DeadLetterDesk } from './dead-letter-desk.ts'
import { KnownEnds } from './known-ends.ts'
import { Lane } from './lane.ts'
import type { RecordSources } from './load-bytes.ts'
import { packRecord } from './packed-record.ts'
import { newParked } from './parked.ts'
import { Parking } from './parking.ts'
import { sampleRoute } from './sample-route.ts'

const packed = packRecord({
  ...{ offset: '7', key: Buffer.from('k'), value: Buffer.from('{"id":7}'), timestamp: '1000' },
  headers: { trace: Buffer.from('t'), 'ferry-reason': Buffer.from('of an earlier letter') },
})
const inLog = { reason: Reason.NON_RETRYABLE_STATUS, status: 422, error: '' }
const sources: RecordSources = {
  redis: async (offsets) => offsets.map((offset) => (offset === 7 ? packed : undefined)),
  kafka: async () => {},
  payloads: async () => new Map(),
  lastEnds: async () => new Map([[7, inLog]]),
}

function open(deadLetterTopic: string, offset = 7) {
  const rows: Pick<Attempt, 'offset' | 'outcome' | 'reason' | 'status'>[] = []
  const letters: DeadLetter[] = []
  const parking = new Parking()
  const entry = newParked({
    ...{
      offset,
      state: 'D',
      keyHash: undefined,
      attempts: 2,
      unpaid: 0,
      firstMs: 1,
      lastMs: 2,
      dueMs: 0,
      round: 0,
      settled: true,
    },
    ...{ stored: true, where: 'R', bytes: 30 },
  })
  parking.add(entry)
  const route = sampleRoute('KEY')
  const limits = { parkedMax: 10, parkedBytesMax: 1000, creditMax: 1, bufferBytesMax: 1000 }
  const start = { cursor: 10, parking, known: new KnownEnds([], new Map(), true), credit: 1 }
  const lane = new Lane(
    { uid: 'u', cluster: 'c', topic: 't', partition: 3 },
    1,
    { ...route, plan: { ...route.plan, deadLetterTopic } },
    limits,
    start,
    {
      attempts: { add: (_lane, { offset, outcome, reason, status }) => rows.push({ offset, outcome, reason, status }) },
      ranges: { add: () => {} },
      ...{ instance: 'i', nextRequestId: () => 1, windowRecords: 16 },
    },
  )
  const kafka = { isAway: false }
  const send = async (topic: string, given: DeadLetter[]): Promise<void> => {
    if (kafka.isAway) throw new Error(`${topic} is away`)
    letters.push(...given)
  }
  const desk = new DeadLetterDesk(lane, sources, send, { warn: () => {}, info: () => {} })
  return { lane, desk, rows, letters, kafka, entry }
}

test('what is given up fails, as its last attempt ended, when the topic has it with all that there is to say', async () => {
  const { desk, rows, letters } = open('dead')
  expect(desk.isDue(0)).toBe(true)
  await desk.work(5000)
  expect(rows).toEqual([{ offset: 7, outcome: Outcome.FAILED, reason: Reason.NON_RETRYABLE_STATUS, status: 0 }])
  expect(letters).toHaveLength(1)
  const { key, value, headers } = letters[0]!
  expect([String(key), String(value)]).toEqual(['k', '{"id":7}'])
  expect(Object.fromEntries(Object.entries(headers).map(([name, each]) => [name, String(each)]))).toMatchObject({
    ...{ trace: 't', 'ferry-reason': 'NON_RETRYABLE_STATUS', 'ferry-status': '422', 'ferry-attempts': '2', 'ferry-offset': '7' },
    ...{ 'ferry-topic': 't', 'ferry-partition': '3', 'ferry-record-time': '1970-01-01T00:00:01.000Z' },
  })
  expect(desk.isDue(1e9)).toBe(false)
})

test('nothing fails while the topic is away; the lane says so, and tries again later', async () => {
  const { desk, rows, kafka, lane, entry } = open('dead')
  kafka.isAway = true
  await desk.work(5000)
  expect([rows, entry.ended, entry.sending]).toEqual([[], false, false])
  expect(lane.lettersTrouble).toBe('the dead-letter topic dead does not take what is given up: Error: dead is away')
  expect(desk.isDue(performance.now())).toBe(false)
  kafka.isAway = false
  await desk.work(9000)
  expect([rows.length, lane.lettersTrouble]).toEqual([1, undefined])
})

test('an owner that has let the lane go says nothing more; one whose use case has no such topic any more ends it at once', async () => {
  const left = open('dead')
  left.lane.stopped = true
  expect(left.desk.isDue(0)).toBe(false)
  const changed = open('')
  await changed.desk.work(5000)
  expect([changed.letters.length, changed.rows.length]).toEqual([0, 1])
})

test('a record that is nowhere any more fails without a letter', async () => {
  const { desk, rows, letters } = open('dead', 9)
  await desk.work(5000)
  expect([letters.length, rows[0]?.reason]).toEqual([0, Reason.PAYLOAD_EXPIRED])
})
