import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt'
import type { PartitionRange } from '../../proto/gen/ferry/v1/verification_pb.ts'
import type { Asked } from '../attempts/resolve-ranges.ts'

interface AskedFields {
  readonly ranges: readonly PartitionRange[]
  readonly fromTime?: Timestamp | undefined
  readonly toTime?: Timestamp | undefined
}

/** What a request asks for, as the domain has it. */
export const askedOf = ({ ranges, fromTime, toTime }: AskedFields): Asked => ({
  ranges: ranges.map(({ partition, fromOffset, toOffset }) => ({
    ...{ partition, from: numberOf(fromOffset), to: numberOf(toOffset) },
  })),
  fromMs: fromTime && timestampMs(fromTime),
  toMs: toTime && timestampMs(toTime),
})

const numberOf = (offset: bigint | undefined): number | undefined => (offset === undefined ? undefined : Number(offset))
