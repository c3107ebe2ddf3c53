import type kafkajs from 'kafkajs'
import type { Kafka } from './kafka.ts'

export interface AckedProducerOptions {
  /** From the call to the acknowledgement, connecting included. */
  readonly timeoutMs: number
  readonly createPartitioner: kafkajs.ICustomPartitioner
  readonly compression: kafkajs.CompressionTypes
}

/** Writes to Kafka so that all replicas in sync have it (acks=all). Connects when it is first used. */
export class AckedProducer {
  readonly #producer: kafkajs.Producer
  readonly #options: AckedProducerOptions
  #connecting: Promise<void> | undefined

  constructor(kafka: Kafka, options: AckedProducerOptions) {
    this.#options = options
    const { createPartitioner } = options
    this.#producer = kafka.producer({
      allowAutoTopicCreation: false,
      retry: { retries: 1, initialRetryTime: 50 },
      createPartitioner,
    })
  }

  /** Rejects when Kafka does not have them all for sure; it may have some nevertheless. */
  async send(topic: string, messages: kafkajs.Message[]): Promise<void> {
    const { timeoutMs } = this.#options
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`Kafka has not taken it within ${timeoutMs} ms`)), timeoutMs).unref()
    })
    try {
      await Promise.race([this.#send(topic, messages), deadline])
    } finally {
      clearTimeout(timer)
    }
  }

  async close(): Promise<void> {
    if (this.#connecting !== undefined) await this.#producer.disconnect()
  }

  async #send(topic: string, messages: kafkajs.Message[]): Promise<void> {
    this.#connecting ??= this.#producer.connect()
    try {
      await this.#connecting
    } catch (error) {
      this.#connecting = undefined
      throw error
    }
    const { timeoutMs, compression } = this.#options
    await this.#producer.send({ topic, messages, acks: -1, timeout: timeoutMs, compression })
  }
}
