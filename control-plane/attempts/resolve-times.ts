import type { RangeLog } from './range-log.ts'
import type { Subject } from './subject.ts'
import { askOffsets, type VerifiedTopic } from './topic-offsets.ts'

/**
 * By partition, the first record at or after a time (Unix ms), by Kafka's index of the records' own timestamps; a partition without
 * one is left out. Where Kafka's answer is the first record that it still has, there may have been others before: the log says.
 */
export async function resolveTime(
  topic: VerifiedTopic,
  log: RangeLog,
  { cluster, topic: name }: Subject,
  partitions: readonly number[],
  timeMs: number,
): Promise<ReadonlyMap<number, number>> {
  const [found, starts] = await askOffsets(
    Promise.all([topic.offsetsAt(cluster, name, timeMs), topic.startOffsets(cluster, name)]),
  )
  const cut = partitions.filter((partition) => {
    const start = starts.get(partition) ?? 0
    return start > 0 && (found.get(partition) ?? start) <= start
  })
  const logged = cut.length > 0 ? await log.firstSince(cut, timeMs) : new Map<number, number>()
  const offsets = new Map(found)
  for (const [partition, offset] of logged) offsets.set(partition, Math.min(offset, offsets.get(partition) ?? offset))
  return offsets
}
