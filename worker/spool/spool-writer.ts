import { promisify } from 'node:util'
import { zstdCompress } from 'node:zlib'
import kafkajs from 'kafkajs'
import type { Kafka } from '../../runtime/kafka.ts'
import { type Insert, RefusedRowsError } from '../record/log-insert.ts'
import { toMessage } from './spooled-insert.ts'

/** By the errors' names in Kafka's protocol; the messages are too large for the topic. */
const tooLarge = new Map([
  ['MESSAGE_TOO_LARGE', 10],
  ['RECORD_LIST_TOO_LARGE', 18],
])

/** Writes inserts into the spool topic: an Insert like ClickHouse's, durable when all replicas in sync have it. */
export class SpoolWriter {
  readonly #producer: kafkajs.Producer
  readonly #topic: string
  readonly #timeoutMs: number
  #connecting: Promise<void> | undefined
  /** Everything goes to one partition, in order, until it does not answer. */
  #turn = Math.floor(Math.random() * 1024)

  constructor(kafka: Kafka, topic: string, timeoutMs: number) {
    const compress = promisify(zstdCompress)
    const none = async (): Promise<Buffer> => {
      throw new Error('nothing is read here')
    }
    kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ({
      ...{ compress: ({ buffer }: { buffer: Buffer }) => compress(buffer), decompress: none },
    })
    this.#topic = topic
    this.#timeoutMs = timeoutMs
    this.#producer = kafka.producer({
      allowAutoTopicCreation: false,
      retry: { retries: 1, initialRetryTime: 50 },
      createPartitioner:
        () =>
        ({ partitionMetadata }) =>
          partitionMetadata[this.#turn % partitionMetadata.length]!.partitionId,
    })
  }

  /** Rejects when Kafka does not have it for sure; it may have it nevertheless. Then the next one goes to another partition. */
  readonly insert: Insert = async (table, rows, token) => {
    const deadline = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error(`Kafka has not taken it within ${this.#timeoutMs} ms`)), this.#timeoutMs).unref()
    })
    try {
      const { key, value, headers } = toMessage(table, rows, token)
      await Promise.race([this.#send({ key, value, headers }), deadline])
    } catch (error) {
      const { type = '', message } = error as Error & { type?: string }
      const code = tooLarge.get(type)
      if (code !== undefined) throw new RefusedRowsError('Kafka', code, message)
      this.#turn++
      throw error
    }
  }

  async close(): Promise<void> {
    if (this.#connecting !== undefined) await this.#producer.disconnect()
  }

  async #send(message: kafkajs.Message): Promise<void> {
    this.#connecting ??= this.#producer.connect()
    try {
      await this.#connecting
    } catch (error) {
      this.#connecting = undefined
      throw error
    }
    await this.#producer.send({
      ...{ topic: this.#topic, acks: -1, timeout: this.#timeoutMs, compression: kafkajs.CompressionTypes.ZSTD },
      messages: [message],
    })
  }
}
