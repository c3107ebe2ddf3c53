import { create } from '@bufbuild/protobuf'
import { type Replay, type ReplayRange, ReplayRangeSchema } from '../../proto/gen/ferry/v1/replay_pb.ts'
import { timeMs } from '../attempts/offset-filter.ts'
import { refuse, type Violation } from '../attempts/query-error.ts'
import { askOffsets, type VerifiedTopic } from '../attempts/topic-offsets.ts'

/** The offsets that a replay asks for, with both ends, by partition; those without any are left out. Throws when nothing is left. */
export async function resolveOffsets(
  offsets: Pick<VerifiedTopic, 'startOffsets' | 'endOffsets' | 'offsetsAt'>,
  cluster: string,
  topic: string,
  { ranges, fromTime, toTime }: Replay,
): Promise<ReplayRange[]> {
  const [starts, ends] = await askOffsets(Promise.all([offsets.startOffsets(cluster, topic), offsets.endOffsets(cluster, topic)]))
  const at = (time: Replay['fromTime']) => (time ? askOffsets(offsets.offsetsAt(cluster, topic, timeMs(time))) : undefined)
  const [first, last] = [await at(fromTime), await at(toTime)]
  const asked = ranges.length > 0 ? ranges : [...ends.keys()].map((partition) => create(ReplayRangeSchema, { partition }))
  refuse(violationsOf(ranges, ends, topic))
  const resolved = asked
    .map(({ partition, fromOffset, toOffset }) => {
      const [start, end] = [starts.get(partition)!, ends.get(partition)!]
      // Nothing at or after a time: behind the end.
      const from = first ? (first.get(partition) ?? end) : Number(fromOffset ?? start)
      const to = last ? (last.get(partition) ?? end) : Number(toOffset ?? end)
      return { partition, from: Math.max(from, start), to }
    })
    .filter(({ from, to }) => from < to)
    .sort((a, b) => a.partition - b.partition)
  if (resolved.length === 0) {
    const field = ranges.length > 0 ? 'replay.ranges' : 'replay.from_time'
    refuse([{ field, description: `${field} has no record that Kafka still has`, reason: 'RANGE_EMPTY' }])
  }
  return resolved.map(({ partition, from, to }) =>
    create(ReplayRangeSchema, { partition, fromOffset: BigInt(from), toOffset: BigInt(to) }),
  )
}

function violationsOf(ranges: readonly ReplayRange[], ends: ReadonlyMap<number, number>, topic: string): Violation[] {
  const violations: Violation[] = []
  for (const [at, { partition, fromOffset, toOffset }] of ranges.entries()) {
    const add = (name: string, reason: Violation['reason'], rule: string): void => {
      const field = `replay.ranges[${at}].${name}`
      violations.push({ field, description: `${field} ${rule}`, reason })
    }
    const end = ends.get(partition)
    if (end === undefined)
      add('partition', 'PARTITION_NOT_FOUND', `is ${partition}, and topic ${topic} has only 0 to ${ends.size - 1}`)
    else if (toOffset !== undefined && Number(toOffset) > end)
      add('to_offset', 'OFFSET_BEYOND_END', `is ${toOffset}, and Kafka's end of the partition is ${end}`)
    else if (fromOffset !== undefined && Number(fromOffset) > end)
      add('from_offset', 'OFFSET_BEYOND_END', `is ${fromOffset}, and Kafka's end of the partition is ${end}`)
  }
  return violations
}
