import { setTimeout as sleep } from 'node:timers/promises'
import type kafkajs from 'kafkajs'
import { createTopic } from '../deploy/local/create-topic.ts'
import { connectKafka, type Kafka } from '../runtime/kafka.ts'
import { createLog } from '../runtime/log.ts'
import { keyOf, type Payload, partitionOf, partitions, valueMaker } from './records.ts'

const requestMsMax = 30_000
const recordsPerSend = 4_000
const paceTickMs = 5

/** The topics that the load test reads, and what their groups have committed. */
export class Topics {
  readonly #kafka: Kafka
  readonly #created: string[] = []

  constructor(brokers: readonly string[]) {
    this.#kafka = connectKafka({ name: 'default', brokers }, 'loadtest', requestMsMax, createLog('demo', 'silent')).kafka
  }

  async create(topic: string): Promise<void> {
    await this.#asAdmin((admin) => createTopic(admin, { topic, numPartitions: partitions, replicationFactor: 1 }, requestMsMax))
    this.#created.push(topic)
  }

  async removeCreated(): Promise<void> {
    const topics = this.#created.splice(0)
    if (topics.length > 0) await this.#asAdmin((admin) => admin.deleteTopics({ topics, timeout: requestMsMax }))
  }

  /** Records below the group's offsets, over all partitions of a topic whose offsets start at 0 and have no holes. */
  async countCommitted(group: string, topic: string): Promise<number> {
    const [offsets] = await this.#asAdmin((admin) => admin.fetchOffsets({ groupId: group, topics: [topic] }))
    return offsets!.partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0)
  }

  /** Publishes records number 0 to `records` - 1 as fast as it can. Their time is the producer's, when it sends them. */
  async fill(topic: string, payload: Payload, records: number): Promise<void> {
    await this.#produce(topic, payload, async (sendNext) => {
      for (let sent = 0; sent < records; sent += recordsPerSend) await sendNext(Math.min(recordsPerSend, records - sent))
    })
  }

  /** Publishes evenly in time: every few milliseconds what is due by then. */
  async pace(topic: string, payload: Payload, records: number, recordsPerSecond: number): Promise<void> {
    await this.#produce(topic, payload, async (sendNext) => {
      const startedMs = performance.now()
      for (let sent = 0; sent < records; await sleep(paceTickMs)) {
        const due = Math.min(records, Math.floor(((performance.now() - startedMs) / 1000) * recordsPerSecond))
        await sendNext(due - sent)
        sent = due
      }
    })
  }

  async #produce(topic: string, payload: Payload, run: (sendNext: (count: number) => Promise<void>) => Promise<void>) {
    const makeValue = valueMaker(payload)
    const producer = this.#kafka.producer({
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition!,
    })
    let number = 0
    const message = () => ({ key: keyOf(number), value: makeValue(number), partition: partitionOf(number++) })
    await producer.connect()
    try {
      await run(async (count) => {
        if (count > 0) await producer.send({ topic, acks: 1, messages: Array.from({ length: count }, message) })
      })
    } finally {
      await producer.disconnect()
    }
  }

  async #asAdmin<T>(use: (admin: kafkajs.Admin) => Promise<T>): Promise<T> {
    const admin = this.#kafka.admin()
    await admin.connect()
    return use(admin).finally(() => admin.disconnect())
  }
}
