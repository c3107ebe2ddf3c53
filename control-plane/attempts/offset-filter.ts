import type { Timestamp } from '@bufbuild/protobuf/wkt'
import type { Violation } from './query-error.ts'

/** What the contract's filters have in common. */
export interface OffsetFilter {
  readonly fromTime?: Timestamp | undefined
  readonly toTime?: Timestamp | undefined
  readonly partition?: number | undefined
  readonly fromOffset?: bigint | undefined
  readonly toOffset?: bigint | undefined
}

/** What the contract's own rules cannot say. `path` is where the filter stands in the request. */
export function checkOffsetFilter(filter: OffsetFilter, path: string): Violation[] {
  const { fromTime, toTime, partition, fromOffset, toOffset } = filter
  const violations: Violation[] = []
  const add = (name: string, reason: Violation['reason'], rule: string): void => {
    violations.push({ field: `${path}.${name}`, description: `${path}.${name} ${rule}`, reason })
  }
  if (fromTime && toTime && timeMs(fromTime) >= timeMs(toTime))
    add('to_time', 'TIME_ORDER', 'must be after from_time, or nothing is selected')
  const offsetsNeed = `needs ${path}.partition: an offset says nothing without its partition`
  if (partition === undefined && fromOffset !== undefined) add('from_offset', 'PARTITION_MISSING', offsetsNeed)
  if (partition === undefined && toOffset !== undefined) add('to_offset', 'PARTITION_MISSING', offsetsNeed)
  if (fromOffset !== undefined && toOffset !== undefined && fromOffset >= toOffset)
    add('to_offset', 'OFFSET_ORDER', `must be above from_offset (${fromOffset}), or nothing is selected; it is ${toOffset}`)
  return violations
}

/** The first whole millisecond that is not before the time: the log's times are whole milliseconds, so bounds stay exact. */
export const timeMs = (time: Timestamp): number => Number(time.seconds) * 1000 + Math.ceil(time.nanos / 1e6)
