import kafkajs from 'kafkajs'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { sharedStack } from '../test/stack.ts'
import { connectKafka, type OpenCluster, openCluster } from './kafka.ts'
import { findTopic, isAbsent } from './kafka-metadata.ts'
import type { Logger } from './log.ts'

const silent = { info: () => {}, warn: () => {}, debug: () => {} } as unknown as Logger
const metadataKey = 3

interface Versions {
  readonly brokerPool: { readonly seedBroker: { readonly versions: Record<number, { maxVersion: number }> } }
}

let open: OpenCluster
let topic: string

beforeAll(async () => {
  const { kafkaBrokers } = await sharedStack()
  const admin = new kafkajs.Kafka({ brokers: kafkaBrokers, logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  topic = `metadata-${crypto.randomUUID()}`
  await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] })
  await admin.disconnect()
  open = openCluster(connectKafka({ name: 'default', brokers: kafkaBrokers }, 'metadata-test', 5000, silent))
  await open.connect()
})
afterAll(() => open?.disconnect())

const partitionsOf = async (): Promise<unknown> => {
  await open.cluster.refreshMetadata()
  return findTopic(open.cluster, topic)!
    .partitionMetadata.map((each) => [each.partitionId, each.leader])
    .sort()
}

test('tells of each topic what there is to tell, also beside one that is not there', async () => {
  await open.cluster.addTargetTopic(`${topic}-absent`)
  await open.cluster.addTargetTopic(topic)
  await vi.waitFor(
    async () =>
      expect(await partitionsOf()).toEqual([
        [0, 1],
        [1, 1],
      ]),
    10_000,
  )
  expect(findTopic(open.cluster, topic)).toMatchObject({ topicErrorCode: 0, topicId: expect.stringMatching(/^[\w-]{22}$/) })
  expect(isAbsent(findTopic(open.cluster, `${topic}-absent`)!)).toBe(true)
  expect(findTopic(open.cluster, 'never asked for')).toBeUndefined()
})

test('speaks to old brokers, which know no topic ids', async () => {
  const { versions } = (open.cluster as unknown as Versions).brokerPool.seedBroker
  const spoken = versions[metadataKey]!
  versions[metadataKey] = { ...spoken, maxVersion: 9 }
  expect(await partitionsOf()).toEqual([
    [0, 1],
    [1, 1],
  ])
  expect(findTopic(open.cluster, topic)).toMatchObject({ topicErrorCode: 0, topicId: '' })
  versions[metadataKey] = { ...spoken, maxVersion: 4 }
  await expect(open.cluster.refreshMetadata()).rejects.toThrow(/speaks none of the versions 12,5/)
  versions[metadataKey] = spoken
})
