import { type KafkaClient, type OpenCluster, openCluster } from '../../runtime/kafka.ts'
import type { Logger } from '../../runtime/log.ts'
import { FetchCounts } from './fetch-counts.ts'
import { Partition, type PartitionOptions, type PartitionSink } from './partition.ts'
import { Reader, type ReaderOptions } from './reader.ts'

interface OpenReader {
  readonly reader: Reader
  readonly opened: OpenCluster
  readonly readCommitted: boolean
  readonly ready: Promise<void>
}

/** A fetch on its way brings nothing any more: nobody waits for a broker that hangs. */
const STOP_MS = 2000

/**
 * Reads partitions for lanes. Two lanes may read the same partition at different positions, and one fetch may name a
 * partition only once and has one isolation level: what does not fit gets a reader with connections of its own.
 */
export class Source {
  readonly fetches = new FetchCounts()
  readonly #kafka: KafkaClient
  readonly #options: ReaderOptions
  readonly #log: Logger
  readonly #readers: OpenReader[] = []
  readonly #of = new Map<Partition, Reader>()
  #stopped = false

  constructor(kafka: KafkaClient, options: ReaderOptions, log: Logger) {
    this.#kafka = kafka
    this.#options = options
    this.#log = log
  }

  open(topic: string, partition: number, position: number, options: PartitionOptions, sink: PartitionSink): Partition {
    const opened = new Partition(topic, partition, position, options, sink)
    const { readCommitted } = options
    const entry =
      this.#readers.find((each) => each.readCommitted === readCommitted && !each.reader.reads(opened.key)) ??
      this.#addReader(readCommitted)
    this.#of.set(opened, entry.reader)
    entry.reader.hold(opened)
    void entry.ready.then(() => (opened.closed ? undefined : entry.reader.add(opened)))
    return opened
  }

  pause(partition: Partition): void {
    partition.paused = true
  }

  resume(partition: Partition): void {
    if (!partition.paused) return
    partition.paused = false
    this.#of.get(partition)?.wake()
  }

  close(partition: Partition): void {
    this.#of.get(partition)?.remove(partition)
    this.#of.delete(partition)
    partition.closed = true
  }

  async stop(): Promise<void> {
    this.#stopped = true
    const stopped = Promise.all(this.#readers.map(({ reader }) => reader.stop()))
    await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())])
    const closed = Promise.all(this.#readers.map(({ opened }) => opened.disconnect().catch(() => {})))
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())])
  }

  #addReader(readCommitted: boolean): OpenReader {
    const opened = openCluster(this.#kafka)
    const reader = new Reader(opened, readCommitted, this.#options, this.#log, this.fetches)
    const entry = { reader, opened, readCommitted, ready: this.#connect(opened, reader) }
    this.#readers.push(entry)
    return entry
  }

  async #connect(opened: OpenCluster, reader: Reader): Promise<void> {
    for (let failures = 0; !this.#stopped; failures++) {
      try {
        return await opened.connect()
      } catch (error) {
        const problem = this.#kafka.describe(error)
        const cluster = this.#kafka.name
        if (failures === 0) this.#log.warn({ cluster, error: problem }, 'source: cannot connect to Kafka, trying again')
        reader.trouble(`no connection to Kafka cluster ${cluster}: ${problem}`)
        await new Promise((resolve) => setTimeout(resolve, Math.min(100 * 2 ** failures, 2000)))
      }
    }
  }
}
