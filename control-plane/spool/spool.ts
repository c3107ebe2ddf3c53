import { countWaiting, spoolPositions } from '../../runtime/spool-position.ts'
import type { TopicSource } from '../fleet/topic-source.ts'

export interface SpoolOptions {
  readonly source: Pick<TopicSource, 'partitions' | 'createTopic' | 'startOffsets' | 'endOffsets' | 'groupOffsets'>
  readonly cluster: string
  /** Undefined: there is no spool. */
  readonly topic: string | undefined
  readonly partitions: number
  /** 0: Kafka's default. */
  readonly replication: number
  readonly messageBytesMax: number
}

/** Space comes back in pieces of this size once they are drained. */
const SEGMENT_BYTES = 128 << 20

/** The topic in Kafka that attempt rows wait in while ClickHouse is away: workers write and drain it. */
export class Spool {
  readonly #options: SpoolOptions

  constructor(options: SpoolOptions) {
    this.#options = options
  }

  /** Creates the topic unless it is there; one that is there stays as it is. */
  async ensure(): Promise<void> {
    const { source, cluster, topic, partitions, replication, messageBytesMax } = this.#options
    if (topic === undefined || (await source.partitions(cluster, topic)) !== undefined) return
    await source.createTopic(cluster, topic, partitions, replication === 0 ? -1 : replication, {
      'cleanup.policy': 'delete',
      // Rows stay until they are in the log, whatever the broker's defaults are; workers delete what they have drained.
      ...{ 'retention.ms': '-1', 'retention.bytes': '-1' },
      'max.message.bytes': String(messageBytesMax),
      'segment.bytes': String(Math.max(SEGMENT_BYTES, messageBytesMax * 2)),
    })
  }

  /**
   * Inserts that wait there. 0: everything that was durable when this was called is in ClickHouse. The ends are asked for before the
   * drained offsets, so it is never too low. Rejects when Kafka does not say.
   */
  async waiting(): Promise<number> {
    const { source, cluster, topic } = this.#options
    if (topic === undefined) return 0
    const ends = await source.endOffsets(cluster, topic)
    const [starts, drained] = await Promise.all([
      source.startOffsets(cluster, topic),
      source.groupOffsets(cluster, topic, topic, [...ends.keys()]),
    ])
    return countWaiting(spoolPositions(ends, starts, drained))
  }
}
