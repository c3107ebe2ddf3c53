import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectKafka, openCluster } from '../../runtime/kafka.ts'
import type { Logger } from '../../runtime/log.ts'
import { sharedStack } from '../../test/stack.ts'
import { TopicSource } from '../fleet/topic-source.ts'
import { Spool, type SpoolOptions } from './spool.ts'

const silent = { debug: () => {}, warn: () => {} } as unknown as Logger
const cluster = 'default'
const sizes = { partitions: 2, replication: 0, messageBytesMax: 2 << 20 }

/** Offsets of a topic with two partitions. */
function spoolAt(ends: [number, number], starts: [number, number], drained: (number | undefined)[]): Spool {
  const map = (list: number[]): Map<number, number> => new Map(list.map((offset, partition) => [partition, offset]))
  const source = {
    endOffsets: async () => map(ends),
    startOffsets: async () => map(starts),
    groupOffsets: async () =>
      drained.flatMap((offset, partition) => (offset === undefined ? [] : [{ partition, offset, metadata: '' }])),
  } as unknown as SpoolOptions['source']
  return new Spool({ source, cluster, topic: 't', ...sizes })
}

describe('what waits in the spool', () => {
  test('is what lies between the drained offsets and the ends, and was not deleted', async () => {
    expect(await spoolAt([10, 7], [0, 0], [10, 7]).waiting()).toBe(0)
    expect(await spoolAt([10, 7], [0, 0], [4, undefined]).waiting()).toBe(13)
    // The group's offsets expired, after everything was drained and deleted.
    expect(await spoolAt([10, 7], [10, 6], [undefined, undefined]).waiting()).toBe(1)
    // It was drained further while the questions were on their way.
    expect(await spoolAt([10, 7], [12, 7], [12, 7]).waiting()).toBe(0)
  })

  test('is nothing without a spool', async () => {
    const spool = new Spool({ source: {} as never, cluster, topic: undefined, ...sizes })
    await spool.ensure()
    expect(await spool.waiting()).toBe(0)
  })
})

describe('the topic of the spool', () => {
  const topic = `ferry.spool.${randomBytes(5).toString('hex')}`
  let source: TopicSource
  let admin: ReturnType<ReturnType<typeof connectKafka>['kafka']['admin']>
  beforeAll(async () => {
    const kafka = connectKafka({ name: cluster, brokers: (await sharedStack()).kafkaBrokers }, 'spool-test', 5000, silent)
    source = new TopicSource(new Map([[cluster, openCluster(kafka)]]), 5000)
    admin = kafka.kafka.admin()
    await admin.connect()
  })
  afterAll(async () => {
    await admin?.deleteTopics({ topics: [topic] }).catch(() => {})
    await Promise.all([source?.close(), admin?.disconnect()])
  })

  test('is created once, with as many replicas as Kafka wants, and keeps what is in it until it is drained', async () => {
    const spool = new Spool({ source, cluster, topic, ...sizes })
    await spool.ensure()
    await spool.ensure()
    await new Spool({ source, cluster, topic, ...sizes, partitions: 5 }).ensure()
    await expect.poll(() => source.partitions(cluster, topic), { timeout: 10_000 }).toEqual([0, 1])
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name: topic, configNames: ['retention.ms', 'max.message.bytes', 'cleanup.policy'] }],
    })
    const configs = Object.fromEntries(resources[0]!.configEntries.map((each) => [each.configName, each.configValue]))
    expect(configs).toEqual({ 'retention.ms': '-1', 'max.message.bytes': String(2 << 20), 'cleanup.policy': 'delete' })
    await expect.poll(() => spool.waiting().catch(() => -1), { timeout: 10_000 }).toBe(0)
  })
})
