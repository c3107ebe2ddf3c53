import { setTimeout as sleep } from 'node:timers/promises'
import { jsonRecords, type Topic } from './topic.ts'

const tickMs = 50

/** Publishes at a steady rate until it is stopped, so that a fault comes in the middle of the work however fast the machine is. */
export class Load {
  readonly #topic: Topic
  readonly #perTick: number
  readonly #keys: number | undefined
  #stopped = false
  #published = 0
  readonly #running: Promise<void>

  private constructor(topic: Topic, perSecond: number, keys: number | undefined) {
    this.#topic = topic
    this.#perTick = Math.ceil((perSecond * tickMs) / 1000)
    this.#keys = keys
    this.#running = this.#run()
    // Told to whoever stops it.
    this.#running.catch(() => {})
  }

  static start(topic: Topic, perSecond: number, keys: number | undefined = undefined): Load {
    return new Load(topic, perSecond, keys)
  }

  /** Records so far. */
  get published(): number {
    return this.#published
  }

  /** Answers how many records were published. */
  async stop(): Promise<number> {
    this.#stopped = true
    await this.#running
    return this.#published
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const records = jsonRecords(this.#perTick, { from: this.#published, ...(this.#keys !== undefined && { keys: this.#keys }) })
      await this.#topic.publish(records)
      this.#published += records.length
      await sleep(tickMs)
    }
  }
}
