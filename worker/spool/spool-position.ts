import { fetchGroupOffsets } from '../../runtime/group-offsets.ts'
import type { Cluster } from '../../runtime/kafka.ts'
import { findTopic } from '../../runtime/kafka-metadata.ts'

/** Where one partition of the spool is: messages from `from` up to, not including, `end` are not in ClickHouse yet. */
export interface SpoolPartition {
  readonly partition: number
  readonly from: number
  readonly end: number
}

const EARLIEST = -2
const LATEST = -1

/**
 * Asks Kafka. The ends are asked for first: what was in the spool when this was called, and is below `from`, is in ClickHouse. The
 * group of the topic's own name, without members, has what is drained. Rejects when Kafka does not say.
 */
export async function askSpool(cluster: Cluster, topic: string): Promise<SpoolPartition[]> {
  try {
    await cluster.addTargetTopic(topic)
    const partitions = findTopic(cluster, topic)?.partitionMetadata.map((each) => each.partitionId) ?? []
    if (partitions.length === 0) throw new Error(`there is no topic ${topic}: the control plane creates it when it starts`)
    const ends = await offsetsOf(cluster, topic, partitions, LATEST)
    const starts = await offsetsOf(cluster, topic, partitions, EARLIEST)
    const committed = await fetchGroupOffsets(cluster, topic, topic, partitions)
    const drained = new Map(committed.map(({ partition, offset }) => [partition, offset]))
    return partitions.map((partition) => {
      const end = ends.get(partition)!
      return { partition, from: Math.min(end, Math.max(starts.get(partition)!, drained.get(partition) ?? 0)), end }
    })
  } catch (error) {
    await cluster.refreshMetadata().catch(() => {})
    throw error
  }
}

async function offsetsOf(
  cluster: Cluster,
  topic: string,
  partitions: readonly number[],
  fromTimestamp: number,
): Promise<Map<number, number>> {
  const asked = { topic, partitions: partitions.map((partition) => ({ partition })), fromTimestamp }
  const answer = (await cluster.fetchTopicsOffset([asked as never])) as unknown as {
    partitions: { partition: number; offset: string }[]
  }[]
  const offsets = new Map(answer.flatMap((each) => each.partitions).map((each) => [each.partition, Number(each.offset)]))
  const silent = partitions.find((partition) => !((offsets.get(partition) ?? -1) >= 0))
  if (silent !== undefined) throw new Error(`Kafka does not say where ${topic}/${silent} begins and ends`)
  return offsets
}
