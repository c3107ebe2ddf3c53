/** What validation asks of Kafka. */
export interface TopicLookup {
  /** How many partitions a topic has; undefined when there is no such topic. Rejects when Kafka does not answer. */
  partitions(cluster: string, topic: string): Promise<number | undefined>
}
