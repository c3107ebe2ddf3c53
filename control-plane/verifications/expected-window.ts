import { create } from '@bufbuild/protobuf'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { type ExpectedRecords, ExpectedRecordsSchema } from '../../proto/gen/ferry/v1/reconciliation_pb.ts'
import type { Slice } from '../attempts/offset-slices.ts'
import type { Violation } from '../attempts/query-error.ts'
import { checkAsked } from '../attempts/resolve-ranges.ts'
import { askedOf } from './asked-of.ts'

/** What a producer has reported, by offsets. */
export interface ExpectedWindow {
  readonly id: string
  readonly slices: readonly Slice[]
  readonly count: number
  readonly keyChecksum: bigint | undefined
  /** Kafka's id of the topic when it was reported. */
  readonly topicId: string
  readonly reporter: string
  /** Unix ms. */
  readonly reportMs: number
}

/** What is wrong with reported windows, all of it. `ends` has every partition of the topic. */
export function checkExpected(
  windows: readonly ExpectedRecords[],
  ends: ReadonlyMap<number, number>,
  topic: string,
  nowMs: number,
): Violation[] {
  const seen = new Set<string>()
  return windows.flatMap((window, index) => {
    const violations: Violation[] = [...checkAsked(askedOf(window), ends, topic)]
    const add = (field: string, reason: Violation['reason'], rule: string): void => {
      violations.push({ field, description: `${field} ${rule}`, reason })
    }
    const { windowId, toTime } = window
    if (seen.has(windowId)) add('window_id', 'WINDOW_DUPLICATE', `is ${windowId} once more: report each window once in a call`)
    seen.add(windowId)
    if (toTime !== undefined && timestampMs(toTime) > nowMs)
      add(
        'to_time',
        'TIME_IN_FUTURE',
        `must not be in the future (${new Date(nowMs).toISOString()}): report a window when it is over`,
      )
    const prefix = `windows[${index}].`
    return violations.map((each) => ({ ...each, field: prefix + each.field, description: prefix + each.description }))
  })
}

/** As the contract has it. */
export const expectedMessage = ({ id, slices, count, keyChecksum }: ExpectedWindow): ExpectedRecords =>
  create(ExpectedRecordsSchema, {
    ...{ windowId: id, count: BigInt(count) },
    ranges: slices.map(({ partition, from, to }) => ({ partition, fromOffset: BigInt(from), toOffset: BigInt(to) })),
    ...(keyChecksum === undefined ? {} : { keyChecksum }),
  })
