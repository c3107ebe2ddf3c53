import kafkajs from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createTopic } from '../../deploy/local/create-topic.ts'
import { connectKafka, type OpenCluster, openCluster } from '../../runtime/kafka.ts'
import { findTopic } from '../../runtime/kafka-metadata.ts'
import type { Logger } from '../../runtime/log.ts'
import { sharedStack } from '../../test/stack.ts'
import { fetchRecords } from './fetch-records.ts'
import type { Chunk, PartitionSink } from './partition.ts'
import { Source } from './source.ts'

const silent = { info: () => {}, warn: () => {}, debug: () => {} } as unknown as Logger

let brokers: string[]
let admin: kafkajs.Admin
let producer: kafkajs.Producer
let source: Source
let side: OpenCluster

beforeAll(async () => {
  brokers = (await sharedStack()).kafkaBrokers
  const client = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING })
  admin = client.admin()
  producer = client.producer()
  const kafka = connectKafka({ name: 'default', brokers }, 'source-test', 5000, silent)
  source = new Source(kafka, { fetchWaitMs: 50, fetchBytesMax: 1 << 20 }, silent)
  side = openCluster(kafka)
  await Promise.all([admin.connect(), producer.connect(), side.connect()])
})
afterAll(async () => {
  await source?.stop()
  await Promise.all([admin?.disconnect(), producer?.disconnect(), side?.disconnect()])
})

/** A sink that gathers, and a promise that resolves when everything below `end` has come. */
function gather() {
  const chunks: Chunk[] = []
  const troubles: (string | undefined)[] = []
  let next = 0
  let waiting: { until: () => boolean; resolve: () => void } | undefined
  const tell = (): void => {
    if (waiting?.until()) waiting.resolve()
  }
  const sink: PartitionSink = {
    bind: async (topicId) => topicId,
    recreated: (topicId) => {
      troubles.push(`recreated as ${topicId}`)
      tell()
    },
    read: (given, to) => {
      chunks.push(...given)
      next = to
      tell()
    },
    outOfRange: (_position, earliest) => earliest,
    trouble: (message) => {
      troubles.push(message)
      tell()
    },
  }
  const when = (until: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      waiting = { until, resolve }
      tell()
    })
  const plain = (): unknown[] =>
    chunks.map(({ hole, records }) => [
      hole === undefined ? '' : `${hole.kind} ${hole.first}-${hole.last}`,
      records.map((each) => Number(each.offset)),
    ])
  return {
    sink,
    chunks,
    troubles,
    when,
    plain,
    get next() {
      return next
    },
  }
}

async function newTopic(): Promise<string> {
  const topic = `source-${crypto.randomUUID()}`
  await createTopic(admin, { topic, numPartitions: 1 })
  return topic
}

async function topicIdOf(topic: string): Promise<string> {
  await side.cluster.addTargetTopic(topic)
  return vi.waitFor(async () => {
    await side.cluster.refreshMetadata()
    const { topicId } = findTopic(side.cluster, topic)!
    expect(topicId).toHaveLength(22)
    return topicId
  })
}

/** The admin client learns late who leads a new topic. */
const deleteBelow = (topic: string, offset: number): Promise<void> =>
  vi.waitFor(() => admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] }), 10_000)

describe('a partition of a real Kafka', () => {
  test('is read with its aborted transactions as holes, by two readers of different positions', async () => {
    const topic = await newTopic()
    // A broker's first transaction makes it create its transaction log: the coordinator answers a moment later.
    const transactional = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).producer({
      transactionalId: topic,
      maxInFlightRequests: 1,
      retry: { retries: 30, initialRetryTime: 100, maxRetryTime: 1000 },
    })
    await transactional.connect()
    const send = async (values: string[], commit: boolean): Promise<void> => {
      const transaction = await transactional.transaction()
      await transaction.send({ topic, messages: values.map((value) => ({ key: Buffer.alloc(4), value })) })
      await (commit ? transaction.commit() : transaction.abort())
    }
    await send(['a', 'b'], true)
    await send(['c'], false)
    // The marker of an end is written after the end is answered.
    await expect.poll(async () => (await admin.fetchTopicOffsets(topic))[0]!.high, { timeout: 10_000 }).toBe('5')
    await producer.send({ topic, messages: [{ value: 'd' }] })
    await transactional.disconnect()
    const all = gather()
    const later = gather()
    const opened = [
      source.open(topic, 0, 0, { readCommitted: true, bytesMax: 1 << 20 }, all.sink),
      source.open(topic, 0, 3, { readCommitted: true, bytesMax: 1 << 20 }, later.sink),
    ]
    await Promise.all([all.when(() => all.next === 6), later.when(() => later.next === 6)])
    expect(all.chunks.flatMap((each) => each.records.map((record) => String(record.value)))).toEqual(['a', 'b', 'd'])
    expect(later.plain()).toEqual([['TRANSACTION 3-4', [5]]])
    for (const each of opened) source.close(each)
  })

  test('goes on at what is left when its beginning was deleted, and says when the topic is not there', async () => {
    const topic = await newTopic()
    await producer.send({ topic, messages: Array.from({ length: 5 }, (_, at) => ({ value: `${at}` })) })
    await deleteBelow(topic, 3)
    const left = gather()
    const missing = gather()
    const opened = source.open(topic, 0, 1, { readCommitted: true, bytesMax: 1 << 20 }, left.sink)
    const absent = source.open(`${topic}-absent`, 0, 0, { readCommitted: true, bytesMax: 1 << 20 }, missing.sink)
    await left.when(() => left.next === 5)
    expect(left.plain()).toEqual([['', [3, 4]]])
    await missing.when(() => missing.troubles.length > 0)
    expect(missing.troubles[0]).toMatch(/^Kafka: /)
    // And it is read as soon as it is there.
    await createTopic(admin, { topic: `${topic}-absent`, numPartitions: 1 })
    await producer.send({ topic: `${topic}-absent`, messages: [{ value: 'now' }] })
    await missing.when(() => missing.next === 1)
    await missing.when(() => missing.troubles.at(-1) === undefined)
    source.close(opened)
    source.close(absent)
  })

  test('gives single records again, and not those that it has no more', async () => {
    const topic = await newTopic()
    await producer.send({ topic, messages: Array.from({ length: 300 }, (_, at) => ({ value: `${at}`.repeat(20) })) })
    await deleteBelow(topic, 10)
    const found = new Map<number, string>()
    const place = { topic, topicId: await topicIdOf(topic), partition: 0 }
    await fetchRecords(side.cluster, place, [299, 4, 150, 9, 10, 5000], (record, offset) =>
      found.set(offset, String(record.value)),
    )
    expect([...found].sort(([a], [b]) => a - b)).toEqual([10, 150, 299].map((at) => [at, `${at}`.repeat(20)]))
    // As from a broker that knows no topic ids.
    const byName: number[] = []
    await fetchRecords(side.cluster, { ...place, topicId: '' }, [150, 9], (_record, offset) => byName.push(offset))
    expect(byName).toEqual([150])
  })

  test('a topic that is deleted and created again is another one: nothing of it is read at the old position', async () => {
    const topic = await newTopic()
    const messages = Array.from({ length: 20 }, (_, at) => ({ value: `old ${at}` }))
    await producer.send({ topic, messages })
    const old = gather()
    const opened = source.open(topic, 0, 10, { readCommitted: true, bytesMax: 1 << 20 }, old.sink)
    await old.when(() => old.next === 20)
    const oldId = await topicIdOf(topic)
    await admin.deleteTopics({ topics: [topic] })
    await vi.waitFor(() => createTopic(admin, { topic, numPartitions: 1 }), 10_000)
    // More than the old one had: nothing but its id tells that it is another one.
    const fresh = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).producer()
    await fresh.connect()
    const sent = Array.from({ length: 50 }, (_, at) => ({ value: `new ${at}` }))
    await vi.waitFor(() => fresh.send({ topic, messages: sent }), 10_000)
    await fresh.disconnect()
    const newId = await topicIdOf(topic)
    expect(newId).not.toBe(oldId)
    await old.when(() => old.troubles.includes(`recreated as ${newId}`))
    expect(old.chunks.flatMap((each) => each.records).every((each) => String(each.value).startsWith('old'))).toBe(true)
    // Single records are gone with their topic; by the new id there are others.
    const found: string[] = []
    const take = (record: { value: Buffer | null }): unknown => found.push(String(record.value))
    await fetchRecords(side.cluster, { topic, topicId: oldId, partition: 0 }, [3], take)
    expect(found).toEqual([])
    await fetchRecords(side.cluster, { topic, topicId: newId, partition: 0 }, [3], take)
    expect(found).toEqual(['new 3'])
    source.close(opened)
  })

  test('a topic that is not there is no matter of the other topics', async () => {
    const topic = await newTopic()
    const [missing, there] = [gather(), gather()]
    const options = { readCommitted: true, bytesMax: 1 << 20 }
    const absent = source.open(`${topic}-absent`, 0, 0, options, missing.sink)
    await missing.when(() => missing.troubles.length > 0)
    expect(missing.troubles[0]).toMatch(/there is no topic/)
    await producer.send({ topic, messages: [{ value: 'there' }] })
    const opened = source.open(topic, 0, 0, options, there.sink)
    await there.when(() => there.next === 1)
    expect(there.troubles).toEqual([])
    source.close(opened)
    source.close(absent)
  })
})
