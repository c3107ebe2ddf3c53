import { fetchGroupOffsets } from '../../runtime/group-offsets.ts'
import type { Cluster } from '../../runtime/kafka.ts'
import { findTopic } from '../../runtime/kafka-metadata.ts'
import { earliest, latest } from '../../runtime/kafka-offsets.ts'
import { type SpoolPartition, spoolPositions } from '../../runtime/spool-position.ts'
import { fetchOffsets } from '../source/offset-range.ts'

/**
 * Asks Kafka. The ends are asked for first: what was in the spool when this was called, and is below `from`, is in ClickHouse. The
 * group of the topic's own name, without members, has what is drained. Rejects when Kafka does not say.
 */
export async function askSpool(cluster: Cluster, topic: string): Promise<SpoolPartition[]> {
  try {
    await cluster.addTargetTopic(topic)
    const partitions = findTopic(cluster, topic)?.partitionMetadata.map((each) => each.partitionId) ?? []
    if (partitions.length === 0) throw new Error(`there is no topic ${topic}: the control plane creates it when it starts`)
    const ends = await fetchOffsets(cluster, topic, partitions, latest)
    const starts = await fetchOffsets(cluster, topic, partitions, earliest)
    return spoolPositions(ends, starts, await fetchGroupOffsets(cluster, topic, topic, partitions))
  } catch (error) {
    await cluster.refreshMetadata().catch(() => {})
    throw error
  }
}
