import type { DatabaseSync } from 'node:sqlite'
import kafkajs from 'kafkajs'
import { connectKafka, type Kafka } from '../../../runtime/kafka.ts'
import { createLog } from '../../../runtime/log.ts'
import { createTopic } from '../create-topic.ts'
import { DemoError } from './demo-error.ts'
import { type Flight, openFlightTable, readFlights, upsertFlight } from './flight-table.ts'

const requestMsMax = 30_000
const rowsPerSend = 2_000
const sendRetries = 10

/** The service that has the table today. It publishes every row, and knows nothing of Ferry. */
export class OldService {
  /** Its SQLite file. */
  readonly file: string
  readonly #database: DatabaseSync
  readonly #kafka: Kafka
  readonly #topic: string
  #published = 0

  constructor(file: string, brokers: readonly string[], topic: string) {
    this.file = file
    this.#database = openFlightTable(file)
    this.#kafka = connectKafka({ name: 'default', brokers }, 'old-service', requestMsMax, createLog('demo', 'silent')).kafka
    this.#topic = topic
  }

  /** Records that Kafka has acknowledged. */
  get published(): number {
    return this.#published
  }

  async fill(flights: AsyncIterable<Flight>): Promise<void> {
    const upsert = upsertFlight(this.#database)
    this.#database.exec('BEGIN')
    for await (const flight of flights) upsert(flight)
    this.#database.exec('COMMIT')
  }

  async createTopic(partitions: number): Promise<void> {
    const admin = this.#kafka.admin()
    await admin.connect()
    try {
      const topic = { topic: this.#topic, numPartitions: partitions, replicationFactor: 1 }
      const isNew = await createTopic(admin, topic, requestMsMax)
      if (!isNew)
        throw new DemoError(`the topic ${this.#topic} is there already: delete it, or run the demo on a Kafka of its own`)
    } finally {
      await admin.disconnect()
    }
  }

  /** Publishes the whole table, in the order of its ids; the key of a record is the id of its row. */
  async publish(encode: (flight: Flight) => Uint8Array): Promise<void> {
    const producer = this.#kafka.producer({
      idempotent: true,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      retry: { retries: sendRetries },
    })
    await producer.connect()
    try {
      let messages: { key: string; value: Buffer }[] = []
      const send = async (): Promise<void> => {
        await producer.send({ topic: this.#topic, acks: -1, messages })
        this.#published += messages.length
        messages = []
      }
      for (const flight of readFlights(this.#database)) {
        messages.push({ key: String(flight.id), value: Buffer.from(encode(flight)) })
        if (messages.length === rowsPerSend) await send()
      }
      if (messages.length > 0) await send()
    } finally {
      await producer.disconnect()
    }
  }

  close(): void {
    this.#database.close()
  }
}
