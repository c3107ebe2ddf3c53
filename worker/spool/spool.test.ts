import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createTopic } from '../../deploy/local/create-topic.ts'
import { connectKafka, openCluster } from '../../runtime/kafka.ts'
import type { Logger } from '../../runtime/log.ts'
import { connectRedis } from '../../runtime/redis.ts'
import { sharedStack } from '../../test/stack.ts'
import { encodeAttempt, encodeLane, rowBytesMax } from '../record/encode-attempt.ts'
import { createInsert, type Insert, RefusedRowsError } from '../record/log-insert.ts'
import { attemptInserts } from '../record/log-table.ts'
import type { FastBuffer } from '../record/row-binary.ts'
import { createSampleLog, type SampleLog, sampleAttempt, sampleLane } from '../record/sample-log.ts'
import { askSpool } from './ask-spool.ts'
import { SpoolDrain } from './spool-drain.ts'
import { SpoolWriter } from './spool-writer.ts'

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} } as unknown as Logger
const topic = `spool-test-${randomBytes(5).toString('hex')}`

let log: SampleLog
let insert: Insert
let parts: ReturnType<typeof connect>
let writer: SpoolWriter
let uid: string

function connect(kafkaBrokers: readonly string[], redisUrl: string) {
  const kafka = connectKafka({ name: 'default', brokers: kafkaBrokers }, 'spool-test', 5000, silent)
  const admin = kafka.kafka.admin()
  return { kafka, admin, opened: openCluster(kafka), redis: connectRedis(redisUrl, 3000, silent) }
}

beforeAll(async () => {
  const { kafkaBrokers, redisUrl, clickhouseUrl } = await sharedStack()
  log = await createSampleLog(clickhouseUrl)
  insert = createInsert(log.clickhouse, 5000)
  await log.clickhouse.command({ query: "ALTER TABLE attempts ADD CONSTRAINT bad CHECK position(request_body, 'poison') = 0" })
  parts = connect(kafkaBrokers, redisUrl)
  await Promise.all([parts.admin.connect(), parts.opened.connect(), parts.redis.ping()])
  const configEntries = [{ name: 'max.message.bytes', value: '20000' }]
  await createTopic(parts.admin, { topic, numPartitions: 2, replicationFactor: 1, configEntries })
  writer = new SpoolWriter(parts.kafka.kafka, topic, 5000)
  // A broker that has just come up does not know yet who coordinates the group.
  await drained()
})
afterAll(async () => {
  await writer?.close()
  await parts?.admin.deleteTopics({ topics: [topic] }).catch(() => {})
  await Promise.all([parts?.admin.disconnect(), parts?.opened.disconnect(), log?.close()])
  parts?.redis.disconnect()
})
beforeEach(() => {
  uid = `u${randomBytes(5).toString('hex')}`
})

function encode(offsets: readonly number[], body = (offset: number): Buffer => Buffer.from(`body ${offset}`)): Buffer {
  const lane = encodeLane({ ...sampleLane, uid })
  return Buffer.concat(
    offsets.map((offset) => {
      const row = sampleAttempt({ offset, requestBody: body(offset) })
      const out = Buffer.alloc(rowBytesMax(lane, row)) as FastBuffer
      return out.subarray(0, encodeAttempt(out, 0, lane, row))
    }),
  )
}

const startDrain = (over: { insert?: Insert; instance?: string; isAway?: () => boolean } = {}): SpoolDrain => {
  const { cluster } = parts.opened
  const clickhouse = { ping: async () => ({ success: over.isAway?.() !== true }) as never }
  const drain = new SpoolDrain(
    { cluster, redis: parts.redis, clickhouse, insert: over.insert ?? insert, log: silent },
    { topic, instance: over.instance ?? 'drainer', lookMs: 50, insertTimeoutMs: 2000 },
  )
  drain.start()
  return drain
}

const isDrained = async (): Promise<boolean> =>
  (await askSpool(parts.opened.cluster, topic)).every(({ from, end }) => from === end)
const drained = (): Promise<void> =>
  vi.waitFor(async () => expect(await isDrained()).toBe(true), { timeout: 20_000, interval: 50 })
const logged = async (): Promise<number[]> =>
  (await log.rows<{ offset: number }>(`SELECT offset FROM attempts WHERE uid = '${uid}' ORDER BY offset`)).map((row) =>
    Number(row.offset),
  )

describe('what is in the spool', () => {
  test('comes into ClickHouse row by row as it was, once, and leaves Kafka', async () => {
    await writer.insert(attemptInserts, encode([1, 2]), `${uid}-a0`)
    await writer.insert(attemptInserts, encode([3]), `${uid}-a1`)
    // Its worker got through after all, and another try of it reached Kafka, too.
    await writer.insert(attemptInserts, encode([3]), `${uid}-a1`)
    await insert(attemptInserts, encode([1, 2]), `${uid}-a0`)
    expect(await isDrained()).toBe(false)
    const drain = startDrain()
    await drained()
    await drain.stop()
    expect(drain.drainedInserts).toBe(3)
    expect(await logged()).toEqual([1, 2, 3])
    const offsets = await parts.admin.fetchTopicOffsets(topic)
    expect(offsets.filter(({ low, high }) => low !== high)).toEqual([])
  })

  test('waits while ClickHouse is away, and is drained by another worker than the one that could not', async () => {
    await writer.insert(attemptInserts, encode([1]), `${uid}-a0`)
    let tries = 0
    const cutOff = startDrain({
      instance: 'cut off',
      insert: async () => {
        tries++
        throw new Error('connect ECONNREFUSED')
      },
    })
    const asleep = startDrain({ instance: 'asleep', isAway: () => true })
    await vi.waitFor(() => expect(tries).toBeGreaterThan(1), { timeout: 10_000 })
    expect(await isDrained()).toBe(false)
    expect(asleep.waitingInserts).toBe(1)
    const other = startDrain({ instance: 'other' })
    await drained()
    await Promise.all([cutOff, asleep, other].map((each) => each.stop()))
    expect([cutOff.drainedInserts, asleep.drainedInserts, other.drainedInserts]).toEqual([0, 0, 1])
    expect(await logged()).toEqual([1])
  })

  test('is inserted again by the same tokens when its drainer dies before it has said how far it was', async () => {
    for (let batch = 0; batch < 6; batch++)
      await writer.insert(attemptInserts, encode([batch * 2, batch * 2 + 1]), `${uid}-a${batch}`)
    const tokens: string[] = []
    const dies = startDrain({
      instance: 'dies',
      insert: async (table, rows, token) => {
        const isThird = tokens.push(token) === 3
        await insert(table, rows, token)
        if (isThird) throw new Error('killed')
      },
    })
    await vi.waitFor(() => expect(new Set(tokens).size).toBeLessThan(tokens.length), { timeout: 20_000 })
    await dies.stop()
    const next = startDrain({ instance: 'next' })
    await drained()
    await next.stop()
    expect(await logged()).toEqual(Array.from({ length: 12 }, (_, at) => at))
  })

  test('is drained also by a ClickHouse that is too slow for several inserts at once', async () => {
    for (let batch = 0; batch < 8; batch++) await writer.insert(attemptInserts, encode([batch]), `${uid}-a${batch}`)
    let running = 0
    const slow = startDrain({
      insert: async (table, rows, token) => {
        running++
        try {
          await new Promise((resolve) => setTimeout(resolve, 20))
          if (running > 1) throw new Error('Timeout exceeded')
          await insert(table, rows, token)
        } finally {
          running--
        }
      },
    })
    await drained()
    await slow.stop()
    expect(await logged()).toEqual(Array.from({ length: 8 }, (_, at) => at))
  })

  test('goes in without the bodies of a row that is refused, and the rest as it is', async () => {
    await writer.insert(
      attemptInserts,
      encode([1, 2, 3], (offset) => Buffer.from(offset === 2 ? 'poison' : 'food')),
      `${uid}-a0`,
    )
    const drain = startDrain()
    await drained()
    await drain.stop()
    const rows = await log.rows<{ offset: number; body: string; error: string }>(
      `SELECT DISTINCT offset, request_body AS body, error FROM attempts WHERE uid = '${uid}' ORDER BY offset`,
    )
    expect(rows.map(({ offset, body, error }) => [Number(offset), body, error !== ''])).toEqual([
      [1, 'food', false],
      [2, '', true],
      [3, 'food', false],
    ])
  })

  test('never was there when it is larger than a message may be, and says so', async () => {
    const large = encode([1], () => randomBytes(60_000))
    const error = await writer.insert(attemptInserts, large, `${uid}-a0`).catch((each: unknown) => each)
    expect(error).toBeInstanceOf(RefusedRowsError)
    expect(error).toMatchObject({ by: 'Kafka', code: 10 })
    expect(await isDrained()).toBe(true)
  })
})
