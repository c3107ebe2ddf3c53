import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Outcome, Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import {
  HoleKind,
  IncompleteReason,
  type RangeCounts,
  RangeCountsSchema,
  VerificationWarning,
  type VerifyRangeResponse,
  VerifyRangeResponseSchema,
} from '../../proto/gen/ferry/v1/verification_pb.ts'
import type { Counts, Verification } from '../attempts/verify-range.ts'

/** What was counted, as the contract has it. */
export function verifiedMessage(verified: Verification): VerifyRangeResponse {
  const { total, partitions, spooledInserts, complete, incompleteReasons, warnings, topicId, asOfMs } = verified
  return create(VerifyRangeResponseSchema, {
    ...{ total: countsMessage(total), spooledInserts: BigInt(spooledInserts), complete, topicId },
    partitions: partitions.map(({ partition, from, to, counts, missing, floor }) => ({
      ...{ partition, fromOffset: BigInt(from), toOffset: BigInt(to), counts: countsMessage(counts) },
      missing: missing.map(({ first, last }) => ({ firstOffset: BigInt(first), lastOffset: BigInt(last) })),
      ...(floor === undefined ? {} : { floor: BigInt(floor) }),
    })),
    incompleteReasons: incompleteReasons.map((name) => IncompleteReason[name]),
    warnings: warnings.map((name) => VerificationWarning[name]),
    verifyTime: timestampFromMs(asOfMs),
  })
}

export function countsMessage({ outcomeCounts, holeCounts, ...numbers }: Counts): RangeCounts {
  return create(RangeCountsSchema, {
    ...Object.fromEntries(Object.entries(numbers).map(([name, count]) => [name, BigInt(count)])),
    outcomeCounts: largestFirst(outcomeCounts).map(([name, count]) => {
      const [outcome, reason] = name.split(' ') as [keyof typeof Outcome, string]
      // What the contract has no word for is counted all the same.
      const why = reason in Reason ? Reason[reason as keyof typeof Reason] : Reason.UNSPECIFIED
      return { outcome: Outcome[outcome], reason: why, count: BigInt(count) }
    }),
    holeCounts: largestFirst(holeCounts).map(([kind, count]) => ({
      ...{ kind: kind in HoleKind ? HoleKind[kind as keyof typeof HoleKind] : HoleKind.UNSPECIFIED, count: BigInt(count) },
    })),
  })
}

const largestFirst = (counts: ReadonlyMap<string, number>) => [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
