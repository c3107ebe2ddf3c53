import type { Slice } from './offset-slices.ts'
import type { Violation } from './query-error.ts'

/** A range as the caller gave it. */
export interface AskedRange {
  readonly partition: number
  /** Undefined: where the use case started. */
  readonly from: number | undefined
  /** Offset after the last. Undefined: Kafka's end. */
  readonly to: number | undefined
}

/** What is wrong with the ranges, all of it. `ends` has every partition of the topic. */
export function checkRanges(asked: readonly AskedRange[], ends: ReadonlyMap<number, number>, topic: string): Violation[] {
  const violations: Violation[] = []
  const seen = new Set<number>()
  for (const [index, { partition, from, to }] of asked.entries()) {
    const add = (name: string, reason: Violation['reason'], rule: string): void => {
      const field = `ranges[${index}].${name}`
      violations.push({ field, description: `${field} ${rule}`, reason })
    }
    const end = ends.get(partition)
    if (end === undefined) {
      add('partition', 'PARTITION_NOT_FOUND', `is ${partition}, and topic ${topic} has only 0 to ${ends.size - 1}`)
      continue
    }
    if (seen.has(partition))
      add('partition', 'PARTITION_DUPLICATE', `is ${partition} once more: ask for each partition once in a call`)
    seen.add(partition)
    if (to !== undefined && to > end)
      add('to_offset', 'OFFSET_BEYOND_END', `is ${to}, and Kafka's end of the partition is ${end}`)
    if (from !== undefined && from > end)
      add('from_offset', 'OFFSET_BEYOND_END', `is ${from}, and Kafka's end of the partition is ${end}`)
    if (from !== undefined && to !== undefined && from > to)
      add('to_offset', 'OFFSET_ORDER', `must not be below from_offset (${from}); it is ${to}`)
  }
  return violations
}

/** The ranges to look at, by partition. Without asked ones it is each partition from its start to its end. */
export function resolveRanges(
  asked: readonly AskedRange[],
  starts: ReadonlyMap<number, number>,
  ends: ReadonlyMap<number, number>,
): Slice[] {
  const ranges = asked.length > 0 ? asked : [...ends.keys()].map((partition) => ({ partition, from: undefined, to: undefined }))
  return ranges
    .map(({ partition, from, to }) => {
      const first = from ?? starts.get(partition) ?? 0
      // A start that is the end of an empty partition, or above a given end: nothing to look at.
      return { partition, from: first, to: Math.max(first, to ?? ends.get(partition) ?? first) }
    })
    .sort((a, b) => a.partition - b.partition)
}
