import { timestampMs } from '@bufbuild/protobuf/wkt'
import { type Source, StartPosition } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { FleetError } from './fleet-error.ts'

/** What Kafka has of a topic, by partition. */
export interface TopicEnds {
  readonly startOffsets: ReadonlyMap<number, number>
  readonly endOffsets: ReadonlyMap<number, number>
}

/** Where a use case begins: what must be asked of Kafka, and what follows from the answers. */
export type StartRule =
  | { readonly kind: 'EARLIEST' }
  | { readonly kind: 'LATEST' }
  | { readonly kind: 'TIME'; readonly timeMs: number }
  | { readonly kind: 'OFFSETS'; readonly offsets: ReadonlyMap<number, number> }

export function startRule(source: Source): StartRule {
  const { start } = source
  if (start.case === 'time') return { kind: 'TIME', timeMs: Math.max(0, Math.ceil(timestampMs(start.value))) }
  if (start.case === 'offsets') {
    const entries = Object.entries(start.value.offsets)
    return { kind: 'OFFSETS', offsets: new Map(entries.map(([partition, offset]) => [Number(partition), Number(offset)])) }
  }
  return { kind: start.case === 'position' && start.value === StartPosition.LATEST ? 'LATEST' : 'EARLIEST' }
}

/**
 * Offset of a partition's first record. `atTime` is Kafka's answer for the rule's time, by partition; a partition without one has
 * no record so young. An offset that was given is taken as it is, unless Kafka has not come so far.
 */
export function startOffset(
  rule: StartRule,
  partition: number,
  { startOffsets, endOffsets }: TopicEnds,
  atTime: ReadonlyMap<number, number>,
): number {
  const start = startOffsets.get(partition)
  const end = endOffsets.get(partition)
  if (start === undefined || end === undefined)
    throw new FleetError('SOURCE_UNAVAILABLE', `Kafka did not say what partition ${partition} has`)
  switch (rule.kind) {
    case 'EARLIEST':
      return start
    case 'LATEST':
      return end
    case 'TIME':
      return Math.max(start, atTime.get(partition) ?? end)
    case 'OFFSETS':
      return Math.min(rule.offsets.get(partition) ?? start, end)
  }
}
