import { existsSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import kafkajs from 'kafkajs'
import { expect, test, vi } from 'vitest'
import { createTopic } from '../../deploy/local/create-topic.ts'
import { connectKafka } from '../../runtime/kafka.ts'
import type { Logger } from '../../runtime/log.ts'
import { privateStack } from '../../test/stack.ts'
import type { PartitionSink } from './partition.ts'
import { Source } from './source.ts'

const silent = { info: () => {}, warn: () => {}, debug: () => {} } as unknown as Logger

test('a log that was cut below the position is not read on, also when it has grown beyond it again', async () => {
  await using stack = await privateStack({ kafka: true })
  const client = new kafkajs.Kafka({ brokers: stack.kafkaBrokers, logLevel: kafkajs.logLevel.NOTHING })
  const publish = async (count: number): Promise<void> => {
    const producer = client.producer()
    await producer.connect()
    await producer.send({ topic: 'cut', messages: Array.from({ length: count }, (_, at) => ({ value: `${at}` })) })
    await producer.disconnect()
  }
  const admin = client.admin()
  await admin.connect()
  await createTopic(admin, { topic: 'cut', numPartitions: 1 })
  await admin.disconnect()
  let position = 0
  const cuts: number[][] = []
  const sink: PartitionSink = {
    bind: async (topicId) => topicId,
    recreated: () => {},
    read: (_chunks, next) => {
      position = next
    },
    outOfRange: (...told) => {
      cuts.push(told)
      return undefined
    },
    trouble: () => {},
  }
  const source = new Source(
    connectKafka({ name: 'default', brokers: stack.kafkaBrokers }, 'cut-test', 5000, silent),
    { fetchWaitMs: 50, fetchBytesMax: 1 << 20 },
    silent,
  )
  const opened = source.open('cut', 0, 0, { readCommitted: true, bytesMax: 1 << 20 }, sink)
  await vi.waitFor(() => publish(100), 10_000)
  await vi.waitFor(() => expect(position).toBe(100), 10_000)
  source.pause(opened)
  await stack.kafka.stop()
  const segment = join(stack.dataDir, 'kafka/logs/cut-0/00000000000000000000.log')
  expect(existsSync(segment)).toBe(true)
  truncateSync(segment, 0)
  await stack.kafka.start()
  await vi.waitFor(() => publish(300), 10_000)
  source.resume(opened)
  await vi.waitFor(() => expect(cuts).toEqual([[100, 0, 0]]), 20_000)
  expect(position).toBe(100)
  await source.stop()
})
