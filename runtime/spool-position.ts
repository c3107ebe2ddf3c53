import type { GroupOffset } from './group-offsets.ts'

/** Where one partition of the spool is: messages from `from` up to, not including, `end` are not in ClickHouse yet. */
export interface SpoolPartition {
  readonly partition: number
  readonly from: number
  readonly end: number
}

/** From what Kafka still has of each partition, and what the group of the topic's own name has drained. */
export function spoolPositions(
  ends: ReadonlyMap<number, number>,
  starts: ReadonlyMap<number, number>,
  drained: readonly GroupOffset[],
): SpoolPartition[] {
  const committed = new Map(drained.map(({ partition, offset }) => [partition, offset]))
  return [...ends].map(([partition, end]) => {
    const done = Math.max(starts.get(partition) ?? 0, committed.get(partition) ?? 0)
    return { partition, from: Math.min(end, done), end }
  })
}

/** Messages that are not in ClickHouse yet. */
export const countWaiting = (positions: readonly SpoolPartition[]): number =>
  positions.reduce((sum, { from, end }) => sum + end - from, 0)
