import { commitGroupOffsets, type GroupOffset } from '../runtime/group-offsets.ts'
import type { Cluster } from '../runtime/kafka.ts'
import { writeGroupMetadata } from '../runtime/lane-keys.ts'
import type { Logger } from '../runtime/log.ts'
import { groupPosition } from './lane/checkpoint-draft.ts'
import type { Keeper } from './lane/keeper.ts'

/** Kafka's own limit for the metadata of an offset (offset.metadata.max.bytes). */
const METADATA_BYTES_MAX = 4096

/** Mirrors the floors of these lanes to their Kafka groups, where they changed. A failure is logged and tried again next time. */
export async function commitFloors(cluster: Cluster, keepers: readonly Keeper[], log: Logger): Promise<void> {
  const groups = new Map<string, { group: string; topic: string; offsets: (GroupOffset & { keeper: Keeper; text: string })[] }>()
  for (const keeper of keepers) {
    const { lane } = keeper
    if (lane === undefined) continue
    const { floor, metadata } = groupPosition(lane)
    const text = writeGroupMetadata(metadata, METADATA_BYTES_MAX) ?? ''
    if (keeper.committed === `${floor} ${text}`) continue
    const { group, topic } = lane.route.plan
    const found = groups.get(group) ?? { group, topic, offsets: [] }
    groups.set(group, found)
    found.offsets.push({ partition: keeper.id.partition, offset: floor, metadata: text, keeper, text: `${floor} ${text}` })
  }
  for (const { group, topic, offsets } of groups.values()) {
    try {
      await commitGroupOffsets(cluster, group, topic, offsets)
      for (const { keeper, text } of offsets) keeper.committed = text
    } catch (error) {
      log.warn(
        { group, error: String(error) },
        'group commit: Kafka did not take the floors; ordinary lag tools are behind until it does',
      )
    }
  }
}
