import { type Kafka, type OpenCluster, openCluster } from '../../runtime/kafka.ts'
import type { Logger } from '../../runtime/log.ts'
import { Partition, type PartitionSink } from './partition.ts'
import { Reader, type ReaderOptions } from './reader.ts'

interface OpenReader {
  readonly reader: Reader
  readonly opened: OpenCluster
  readonly readCommitted: boolean
  readonly ready: Promise<void>
}

/**
 * Reads partitions for lanes. Two lanes may read the same partition at different positions, and one fetch may name a
 * partition only once and has one isolation level: what does not fit gets a reader with connections of its own.
 */
export class Source {
  readonly #kafka: Kafka
  readonly #options: ReaderOptions
  readonly #log: Logger
  readonly #readers: OpenReader[] = []
  readonly #of = new Map<Partition, Reader>()

  constructor(kafka: Kafka, options: ReaderOptions, log: Logger) {
    this.#kafka = kafka
    this.#options = options
    this.#log = log
  }

  open(topic: string, partition: number, position: number, readCommitted: boolean, sink: PartitionSink): Partition {
    const opened = new Partition(topic, partition, position, readCommitted, sink)
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
    await Promise.all(this.#readers.map(({ reader }) => reader.stop()))
    await Promise.all(this.#readers.map(({ opened }) => opened.disconnect().catch(() => {})))
  }

  #addReader(readCommitted: boolean): OpenReader {
    const opened = openCluster(this.#kafka)
    const reader = new Reader(opened.cluster, readCommitted, this.#options, this.#log)
    const entry = { reader, opened, readCommitted, ready: this.#connect(opened) }
    this.#readers.push(entry)
    return entry
  }

  async #connect(opened: OpenCluster): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        return await opened.connect()
      } catch (error) {
        if (failures === 0) this.#log.warn({ error: String(error) }, 'source: cannot connect to Kafka, trying again')
        await new Promise((resolve) => setTimeout(resolve, Math.min(100 * 2 ** failures, 2000)))
      }
    }
  }
}
