import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { LaneId } from '../../runtime/lane-keys.ts'
import type { Plan } from '../deliver/plan.ts'
import { unpackRecord } from './packed-record.ts'
import type { LastEnd, Parked } from './parked.ts'

/** A record for the dead-letter topic. */
export interface DeadLetter {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Record<string, Buffer | string | (Buffer | string)[]>
}

/** Key, value and headers as they were; what Ferry has to say is in headers ferry-*, which take the place of those that an earlier letter had. */
export function deadLetterOf(
  { id, namespace, uid, revision }: Plan,
  lane: LaneId,
  entry: Parked,
  why: LastEnd,
  nowMs: number,
): DeadLetter {
  const { key, value, headers, timestamp } = unpackRecord(entry.packed!, entry.offset)
  return {
    key,
    value,
    headers: {
      ...(headers as Record<string, Buffer | Buffer[]>),
      'ferry-use-case': `namespaces/${namespace}/useCases/${id}`,
      'ferry-uid': uid,
      'ferry-revision': String(revision),
      'ferry-cluster': lane.cluster,
      'ferry-topic': lane.topic,
      'ferry-partition': String(lane.partition),
      'ferry-offset': String(entry.offset),
      'ferry-record-time': new Date(Number(timestamp)).toISOString(),
      'ferry-reason': nameOf(why.reason),
      'ferry-status': String(why.status),
      'ferry-error': why.error,
      'ferry-attempts': String(entry.attempts),
      'ferry-given-up-time': new Date(nowMs).toISOString(),
    },
  }
}

const nameOf = (reason: number): string => Object.entries(Reason).find(([, value]) => value === reason)?.[0] ?? String(reason)
