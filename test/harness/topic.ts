import { randomBytes } from 'node:crypto'
import kafkajs, { type Admin, type ITopicConfig, type Kafka, type Message, type Producer } from 'kafkajs'
import { waitForLeaders } from '../../deploy/local/create-topic.ts'
import { waitUntil } from './wait-until.ts'

const requestMsMax = 30_000
/** A broker that is killed comes back sooner. */
const publishMsMax = 60_000
const messagesPerSend = 5_000

/** One record to publish. `partition`: where it must go; without one its key decides. */
export interface Publication {
  readonly key?: string | null
  /** null is a tombstone. */
  readonly value: string | Buffer | null
  readonly partition?: number
  /** When it was produced, in place of now. */
  readonly timestampMs?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** A topic of its own for one test, with a producer for it. Its name is nobody else's. */
export class Topic implements AsyncDisposable {
  readonly name: string
  readonly partitions: number
  readonly kafka: Kafka
  readonly admin: Admin
  #producer: Producer

  private constructor(kafka: Kafka, name: string, partitions: number) {
    this.kafka = kafka
    this.name = name
    this.partitions = partitions
    this.admin = kafka.admin()
    this.#producer = this.#newProducer()
  }

  /** Idempotent: what it sends again, because an answer was late, Kafka has once. */
  #newProducer(): Producer {
    return this.kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner, idempotent: true })
  }

  static async create(
    brokers: readonly string[],
    partitions: number,
    settings: Pick<ITopicConfig, 'replicationFactor' | 'configEntries'> = {},
  ): Promise<Topic> {
    const kafka = new kafkajs.Kafka({
      ...{ brokers: [...brokers], clientId: 'test', requestTimeout: requestMsMax, logLevel: kafkajs.logLevel.NOTHING },
      retry: { retries: 8, initialRetryTime: 100, maxRetryTime: 2000 },
    })
    const topic = new Topic(kafka, `t-${randomBytes(5).toString('hex')}`, partitions)
    await topic.admin.connect()
    await topic.admin.createTopics({
      topics: [{ topic: topic.name, numPartitions: partitions, replicationFactor: 1, ...settings }],
      waitForLeaders: false,
      timeout: requestMsMax,
    })
    return topic.#open()
  }

  /** The same topic with connections that know all of its partitions. */
  async reopen(partitions: number): Promise<Topic> {
    const topic = new Topic(this.kafka, this.name, partitions)
    await topic.admin.connect()
    return topic.#open()
  }

  /** A new topic of its name, once Kafka has forgotten the old one. */
  async recreate(): Promise<Topic> {
    const topic = new Topic(this.kafka, this.name, this.partitions)
    await topic.admin.connect()
    const topics = [{ topic: this.name, numPartitions: this.partitions, replicationFactor: 1 }]
    await waitUntil('the topic is there again', requestMsMax, () => topic.admin.createTopics({ topics, waitForLeaders: false }))
    return topic.#open()
  }

  async #open(): Promise<Topic> {
    await waitForLeaders(this.admin, this.name, this.partitions, requestMsMax)
    await this.#producer.connect()
    return this
  }

  /** Also while brokers come and go: then some records may be there twice. */
  async publish(records: readonly Publication[]): Promise<void> {
    for (let at = 0; at < records.length; at += messagesPerSend) {
      const messages = records.slice(at, at + messagesPerSend).map(toMessage)
      await waitUntil(`records are published to ${this.name}`, publishMsMax, () => this.#send(messages))
    }
  }

  async #send(messages: Message[]): Promise<true> {
    try {
      await this.#producer.send({ topic: this.name, acks: -1, messages })
      return true
    } catch (error) {
      // It has lost count of what the broker has: another one begins anew.
      await this.#producer.disconnect().catch(() => {})
      this.#producer = this.#newProducer()
      await this.#producer.connect()
      throw error
    }
  }

  /** In one transaction, which is then committed or aborted; either way its markers take offsets. */
  async publishTransaction(records: readonly Publication[], end: 'commit' | 'abort'): Promise<void> {
    const producer = this.kafka.producer({
      ...{ transactionalId: `${this.name}-${randomBytes(3).toString('hex')}`, maxInFlightRequests: 1, idempotent: true },
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    })
    await producer.connect()
    try {
      const before = await this.#offsets()
      const transaction = await producer.transaction()
      const parts = await transaction.send({ topic: this.name, messages: records.map(toMessage) })
      await transaction[end]()
      // The broker answers first and writes the markers then.
      const offsets = before + records.length + parts.length
      await waitUntil('the transaction has its markers', requestMsMax, async () => (await this.#offsets()) >= offsets)
    } finally {
      await producer.disconnect()
    }
  }

  /** Per partition the offset that the next record will get. */
  async endOffsets(): Promise<Map<number, number>> {
    const offsets = await this.admin.fetchTopicOffsets(this.name)
    return new Map(offsets.map((each) => [each.partition, Number(each.high)]))
  }

  /** Kafka forgets the records of a partition below this offset, as its retention would. */
  async forgetBelow(partition: number, offset: number): Promise<void> {
    // The first call fails where the client has not met the topic yet.
    await waitUntil('Kafka deletes the records', requestMsMax, async () => {
      await this.admin.deleteTopicRecords({ topic: this.name, partitions: [{ partition, offset: String(offset) }] })
      return true
    })
  }

  async #offsets(): Promise<number> {
    return [...(await this.endOffsets()).values()].reduce((sum, end) => sum + end, 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#producer.disconnect(), this.admin.disconnect()])
  }
}

const toMessage = ({ key, value, partition, timestampMs, headers }: Publication): Message => ({
  key: key ?? null,
  value: typeof value === 'string' ? Buffer.from(value) : value,
  ...(partition !== undefined && { partition }),
  ...(timestampMs !== undefined && { timestamp: String(timestampMs) }),
  ...(headers && { headers: { ...headers } }),
})

/** `count` small JSON records; their keys are `k0` to `k{keys - 1}` in turn, none when there are to be no keys. */
export function jsonRecords(count: number, options: { readonly keys?: number; readonly from?: number } = {}): Publication[] {
  const from = options.from ?? 0
  return Array.from({ length: count }, (_, index) => {
    const id = from + index
    const value = JSON.stringify({ id, text: `record ${id}` })
    return options.keys === undefined ? { value } : { key: `k${id % options.keys}`, value }
  })
}
