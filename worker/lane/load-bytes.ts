import { Outcome, Reason, Trigger } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import type { Lane } from './lane.ts'
import { packRecord } from './packed-record.ts'
import type { LastEnd, Parked } from './parked.ts'

/** Where parked records' bytes are, and what the log knows of them. Each rejects when it does not answer. */
export interface RecordSources {
  /** Packed records; undefined where Redis has none. */
  redis(offsets: readonly number[]): Promise<readonly (Buffer | undefined)[]>
  /** Those that Kafka still has; what is taken must be copied. */
  kafka(offsets: readonly number[], take: (record: KafkaRecord, offset: number) => void): Promise<void>
  /** Packed records that the log has kept of what failed. */
  payloads(offsets: readonly number[]): Promise<ReadonlyMap<number, Buffer>>
  /** How the last attempts ended that the log has. */
  lastEnds(offsets: readonly number[]): Promise<ReadonlyMap<number, LastEnd>>
}

// The bytes of a parked record
//
//   are in    | then
//   memory    | it has them
//   Redis     | read from there; when Redis has lost them, as the next line
//   Kafka     | read from there; when Kafka has them no longer, from the log's payloads
//   nowhere   | it ends FAILED PAYLOAD_EXPIRED

/** Fills `packed` of each, or ends it. Rejects when one who has them does not answer. */
export async function loadBytes(lane: Lane, sources: RecordSources, entries: readonly Parked[], nowMs: number): Promise<void> {
  const inRedis = entries.filter(({ packed, where }) => packed === undefined && where === 'R')
  if (inRedis.length > 0) {
    const bytes = await sources.redis(inRedis.map((entry) => entry.offset))
    for (const [at, entry] of inRedis.entries()) entry.packed = bytes[at]
  }
  await fromKafka(sources, entries.filter(isAbsent))
  const gone = entries.filter(isAbsent)
  if (gone.length === 0) return
  const found = await sources.payloads(gone.map((entry) => entry.offset))
  // Who has let the lane go must not say any more about it.
  if (lane.stopped) return
  for (const entry of gone) {
    entry.packed = found.get(entry.offset)
    if (entry.packed !== undefined) continue
    const trigger = entry.batch === undefined ? Trigger.RETRY : Trigger.RETRY_BATCH
    lane.endUnsent(entry, Outcome.FAILED, Reason.PAYLOAD_EXPIRED, trigger, nowMs)
  }
}

const isAbsent = ({ packed, ended }: Parked): boolean => packed === undefined && !ended

async function fromKafka(sources: RecordSources, entries: readonly Parked[]): Promise<void> {
  if (entries.length === 0) return
  const byOffset = new Map(entries.map((entry) => [entry.offset, entry]))
  await sources.kafka([...byOffset.keys()], (record, offset) => {
    const entry = byOffset.get(offset)!
    entry.packed = packRecord(record)
    if (entry.where === 'K') entry.bytes = entry.packed.length
  })
}
