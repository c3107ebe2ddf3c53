import kafkajs from 'kafkajs'
import { AckedProducer } from '../runtime/acked-producer.ts'
import { type KafkaClient, type OpenCluster, openCluster } from '../runtime/kafka.ts'
import type { Logger } from '../runtime/log.ts'
import { GroupCommits } from './group-commits.ts'
import type { ReaderOptions } from './source/reader.ts'
import { Source } from './source/source.ts'

/** Of dead letters, which go where their keys' others go. */
const letterOptions = { timeoutMs: 10_000, compression: kafkajs.CompressionTypes.GZIP }

/** What this worker does with one Kafka cluster. */
export interface WorkerCluster {
  readonly client: KafkaClient
  /** For everything but fetching: what a lane asks must not wait behind a fetch. */
  readonly side: OpenCluster
  readonly source: Source
  readonly commits: GroupCommits
  /** Connects when the first record is given up. */
  readonly letters: AckedProducer
}

/** The Kafka clusters of this worker, by name, each with connections of its own: one that is away stops nothing of another. */
export class Clusters {
  readonly #all: ReadonlyMap<string, WorkerCluster>
  readonly #log: Logger

  constructor(clients: readonly KafkaClient[], options: ReaderOptions & { readonly groupCommitMs: number }, log: Logger) {
    this.#log = log
    this.#all = new Map(
      clients.map((client) => {
        const side = openCluster(client)
        const commits = new GroupCommits(side.cluster, options.groupCommitMs, log)
        const letters = new AckedProducer(client.kafka, {
          ...letterOptions,
          createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
        })
        return [client.name, { client, side, commits, letters, source: new Source(client, options, log) }]
      }),
    )
  }

  get names(): readonly string[] {
    return [...this.#all.keys()]
  }

  get all(): readonly WorkerCluster[] {
    return [...this.#all.values()]
  }

  of(name: string): WorkerCluster | undefined {
    return this.#all.get(name)
  }

  /** Tries until each is connected; nothing waits for it. */
  connect(): void {
    for (const [name, { side }] of this.#all) void this.#connect(name, side)
  }

  async #connect(cluster: string, side: OpenCluster): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        return await side.connect()
      } catch (error) {
        if (failures === 0)
          this.#log.error({ cluster, error: side.describe(error) }, 'worker: cannot connect to Kafka, trying again')
        await new Promise((resolve) => setTimeout(resolve, Math.min(100 * 2 ** failures, 2000)))
      }
    }
  }

  /** Nothing is read any more. */
  async stop(): Promise<void> {
    await Promise.all(this.all.map(({ source }) => source.stop()))
  }

  async disconnect(): Promise<void> {
    await Promise.all(
      this.all.flatMap(({ side, letters }) => [side.disconnect(), letters.close()].map((each) => each.catch(() => {}))),
    )
  }
}
