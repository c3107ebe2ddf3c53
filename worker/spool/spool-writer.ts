import { promisify } from 'node:util'
import { zstdCompress } from 'node:zlib'
import kafkajs from 'kafkajs'
import { AckedProducer } from '../../runtime/acked-producer.ts'
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
  readonly #producer: AckedProducer
  readonly #topic: string
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
    this.#producer = new AckedProducer(kafka, {
      timeoutMs,
      compression: kafkajs.CompressionTypes.ZSTD,
      createPartitioner:
        () =>
        ({ partitionMetadata }) =>
          partitionMetadata[this.#turn % partitionMetadata.length]!.partitionId,
    })
  }

  /** Rejects when Kafka does not have it for sure; it may have it nevertheless. Then the next one goes to another partition. */
  readonly insert: Insert = async (table, rows, token) => {
    try {
      const { key, value, headers } = toMessage(table, rows, token)
      await this.#producer.send(this.#topic, [{ key, value, headers }])
    } catch (error) {
      const { type = '', message } = error as Error & { type?: string }
      const code = tooLarge.get(type)
      if (code !== undefined) throw new RefusedRowsError('Kafka', code, message)
      this.#turn++
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#producer.close()
  }
}
