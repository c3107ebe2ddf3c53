import type { Cluster } from '../../runtime/kafka.ts'

export interface OffsetRange {
  /** The lowest offset that Kafka still has. */
  readonly earliest: number
  /** What the next appended record will get. */
  readonly latest: number
}

/** What Kafka has of a partition. Rejects when its leader does not say. */
export async function offsetRange(cluster: Cluster, topic: string, partition: number): Promise<OffsetRange> {
  const [earliest, latest] = await Promise.all([ask(cluster, topic, partition, -2), ask(cluster, topic, partition, -1)])
  return { earliest, latest }
}

async function ask(cluster: Cluster, topic: string, partition: number, timestamp: -1 | -2): Promise<number> {
  const answer = (await cluster.fetchTopicsOffset([
    { topic, partitions: [{ partition }], fromTimestamp: timestamp } as never,
  ])) as unknown as { partitions: { partition: number; offset: string }[] }[]
  const offset = Number(answer[0]?.partitions.find((each) => each.partition === partition)?.offset ?? Number.NaN)
  if (!(offset >= 0)) throw new Error(`Kafka does not say where ${topic}/${partition} begins and ends`)
  return offset
}
