import { fetchGroupOffsets } from '../../runtime/group-offsets.ts'
import type { Cluster } from '../../runtime/kafka.ts'
import { findTopic } from '../../runtime/kafka-metadata.ts'
import { offsetRange } from '../source/offset-range.ts'

/** Where one partition of the spool is: messages from `from` up to, not including, `end` are not in ClickHouse yet. */
export interface SpoolPartition {
  readonly partition: number
  readonly from: number
  readonly end: number
}

/**
 * Asks Kafka. The ends are asked for first: what was in the spool when this was called, and is below `from`, is in ClickHouse. The
 * group of the topic's own name, without members, has what is drained. Rejects when Kafka does not say.
 */
export async function askSpool(cluster: Cluster, topic: string): Promise<SpoolPartition[]> {
  try {
    await cluster.addTargetTopic(topic)
    const partitions = findTopic(cluster, topic)?.partitionMetadata.map((each) => each.partitionId) ?? []
    if (partitions.length === 0) throw new Error(`there is no topic ${topic}: the control plane creates it when it starts`)
    const ranges = await Promise.all(partitions.map((partition) => offsetRange(cluster, topic, partition)))
    const committed = await fetchGroupOffsets(cluster, topic, topic, partitions)
    return partitions.map((partition, at) => {
      const { earliest, latest } = ranges[at]!
      const drained = committed.find((each) => each.partition === partition)?.offset ?? 0
      return { partition, from: Math.min(latest, Math.max(earliest, drained)), end: latest }
    })
  } catch (error) {
    await cluster.refreshMetadata().catch(() => {})
    throw error
  }
}
