import type { Slice } from './offset-slices.ts'
import type { Violation, ViolationReason } from './query-error.ts'

/** A range as the caller gave it. */
export interface AskedRange {
  readonly partition: number
  /** Undefined: where the use case started. */
  readonly from: number | undefined
  /** Offset after the last. Undefined: Kafka's end. */
  readonly to: number | undefined
}

/** What the caller wants to have counted. */
export interface Asked {
  /** None: every partition. */
  readonly ranges: readonly AskedRange[]
  /** Unix ms, in place of all ranges' `from`. */
  readonly fromMs?: number | undefined
  /** Unix ms, in place of all ranges' `to`. */
  readonly toMs?: number | undefined
}

/** What is wrong with the question, all of it. `ends` has every partition of the topic. */
export function checkAsked({ ranges, fromMs, toMs }: Asked, ends: ReadonlyMap<number, number>, topic: string): Violation[] {
  const violations: Violation[] = []
  const seen = new Set<number>()
  const add = (field: string, reason: ViolationReason, rule: string): void => {
    violations.push({ field, description: `${field} ${rule}`, reason })
  }
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs)
    add('to_time', 'TIME_ORDER', `must be after from_time (${isoOf(fromMs)}); it is ${isoOf(toMs)}`)
  for (const [index, { partition, from, to }] of ranges.entries()) {
    const field = (name: string): string => `ranges[${index}].${name}`
    const end = ends.get(partition)
    if (end === undefined) {
      const rule = `is ${partition}, and topic ${topic} has only 0 to ${ends.size - 1}`
      add(field('partition'), 'PARTITION_NOT_FOUND', rule)
      continue
    }
    if (seen.has(partition))
      add(field('partition'), 'PARTITION_DUPLICATE', `is ${partition} once more: ask for each partition once in a call`)
    seen.add(partition)
    if (from !== undefined && fromMs !== undefined)
      add(field('from_offset'), 'OFFSET_AND_TIME', `is ${from}, and from_time is given as well: give one of the two`)
    if (to !== undefined && toMs !== undefined)
      add(field('to_offset'), 'OFFSET_AND_TIME', `is ${to}, and to_time is given as well: give one of the two`)
    const beyond = `and Kafka's end of the partition is ${end}`
    if (to !== undefined && to > end) add(field('to_offset'), 'OFFSET_BEYOND_END', `is ${to}, ${beyond}`)
    if (from !== undefined && from > end) add(field('from_offset'), 'OFFSET_BEYOND_END', `is ${from}, ${beyond}`)
    if (from !== undefined && to !== undefined && from > to)
      add(field('to_offset'), 'OFFSET_ORDER', `must not be below from_offset (${from}); it is ${to}`)
  }
  return violations
}

const isoOf = (ms: number): string => new Date(ms).toISOString()

/** By partition, the offsets that the asked times stand for; undefined where no time was asked for. */
export interface TimeOffsets {
  readonly from: ReadonlyMap<number, number> | undefined
  readonly to: ReadonlyMap<number, number> | undefined
}

/** The ranges to look at, by partition. Without asked ones it is each partition from its start to its end. */
export function resolveRanges(
  asked: readonly AskedRange[],
  starts: ReadonlyMap<number, number>,
  ends: ReadonlyMap<number, number>,
  times: TimeOffsets = { from: undefined, to: undefined },
): Slice[] {
  const ranges = asked.length > 0 ? asked : [...ends.keys()].map((partition) => ({ partition, from: undefined, to: undefined }))
  return ranges
    .map(({ partition, from, to }) => {
      const [start, end] = [starts.get(partition) ?? 0, ends.get(partition) ?? 0]
      const timed = times.from && Math.max(start, times.from.get(partition) ?? end)
      const first = from ?? timed ?? start
      // A start that is the end of an empty partition, or above a given end: nothing to look at.
      const last = to ?? times.to?.get(partition) ?? end
      return { partition, from: first, to: Math.max(first, Math.min(last, Math.max(end, first))) }
    })
    .sort((a, b) => a.partition - b.partition)
}
