import { QueryError } from './query-error.ts'

/** What Kafka says about a topic's partitions. Each rejects when Kafka does not answer in time or has no such topic. */
export interface TopicOffsets {
  /** By partition, all of them: the offset that the next record will get. */
  endOffsets(cluster: string, topic: string): Promise<ReadonlyMap<number, number>>
  /** By partition, all of them: the lowest offset that Kafka still has. */
  startOffsets(cluster: string, topic: string): Promise<ReadonlyMap<number, number>>
}

/** Offsets by the times of their records. */
export interface TimedOffsets extends TopicOffsets {
  /** By partition, the first record at or after a time (Unix ms); a partition that has none is left out. */
  offsetsAt(cluster: string, topic: string, timeMs: number): Promise<ReadonlyMap<number, number>>
}

/** What a certificate must know of a topic beside its offsets. */
export interface VerifiedTopic extends TimedOffsets {
  /** Another one when the topic is deleted and created again; empty when the brokers have no ids. */
  topicId(cluster: string, topic: string): Promise<string>
}

/** Awaits Kafka's answer; when there is none it is SOURCE_UNAVAILABLE. */
export async function askOffsets<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new QueryError('SOURCE_UNAVAILABLE', `Kafka does not tell the topic's offsets (${why}): call again`, [], error)
  }
}
