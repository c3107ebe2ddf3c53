/** What Kafka says about a topic's partitions. Each rejects when Kafka does not answer in time or has no such topic. */
export interface TopicOffsets {
  /** By partition, all of them: the offset that the next record will get. */
  endOffsets(cluster: string, topic: string): Promise<ReadonlyMap<number, number>>
  /** By partition, all of them: the lowest offset that Kafka still has. */
  startOffsets(cluster: string, topic: string): Promise<ReadonlyMap<number, number>>
}
