import type { Cluster } from '../../runtime/kafka.ts'
import { earliest, latest } from '../../runtime/kafka-offsets.ts'

export interface OffsetRange {
  /** The lowest offset that Kafka still has. */
  readonly earliest: number
  /** What the next appended record will get. */
  readonly latest: number
}

/** What Kafka has of a partition. Rejects when its leader does not say. */
export async function offsetRange(cluster: Cluster, topic: string, partition: number): Promise<OffsetRange> {
  const [first, next] = await Promise.all(
    ([earliest, latest] as const).map((at) => fetchOffsets(cluster, topic, [partition], at)),
  )
  return { earliest: first!.get(partition)!, latest: next!.get(partition)! }
}

/** Where partitions begin (`earliest`) or end (`latest`). Rejects when the leader of one of them does not say. */
export async function fetchOffsets(
  cluster: Cluster,
  topic: string,
  partitions: readonly number[],
  at: typeof earliest | typeof latest,
): Promise<Map<number, number>> {
  const asked = { topic, partitions: partitions.map((partition) => ({ partition })), fromTimestamp: at }
  const answer = (await cluster.fetchTopicsOffset([asked as never])) as unknown as {
    partitions: { partition: number; offset: string }[]
  }[]
  const offsets = new Map(answer.flatMap((each) => each.partitions).map((each) => [each.partition, Number(each.offset)]))
  const silent = partitions.find((partition) => !((offsets.get(partition) ?? -1) >= 0))
  if (silent !== undefined) throw new Error(`Kafka does not say where ${topic}/${silent} begins and ends`)
  return offsets
}
