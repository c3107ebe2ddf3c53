import { randomBytes } from 'node:crypto'
import { fromJson, type JsonValue, toJson } from '@bufbuild/protobuf'
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import { type Verification, VerificationSchema, VerificationState } from '../../proto/gen/ferry/v1/verification_service_pb.ts'

// | state     | event                                   | next                                            |
// |-----------|-----------------------------------------|-------------------------------------------------|
// | PENDING   | the leader has room                     | RUNNING                                         |
// | RUNNING   | all is counted                          | DONE                                            |
// | RUNNING   | it cannot be counted, or not in time    | FAILED                                          |
// | RUNNING   | Kafka, Redis or ClickHouse are away     | PENDING: from the start, when they are back     |
// | RUNNING   | another replica leads                   | RUNNING: the new leader counts from the start   |
// | any open  | somebody cancels                        | CANCELLED                                       |

/** A verification as Redis has it. */
export interface VerificationRecord {
  /** As callers see it. */
  readonly verification: Verification
  /** The use case's uid: one that was deleted and created again has nothing to do with it. */
  readonly uid: string
  /** Grows by one with every change. */
  readonly revision: number
}

export const idOf = ({ verification: { name } }: VerificationRecord): string => name.slice(name.lastIndexOf('/') + 1)

export const isOpen = ({ verification: { state } }: VerificationRecord): boolean =>
  state === VerificationState.PENDING || state === VerificationState.RUNNING

export const createMsOf = ({ verification }: VerificationRecord): number => timestampMs(verification.createTime!)

/** Sorts by time. */
export const newVerificationId = (nowMs: number): string => `v-${nowMs.toString(36)}-${randomBytes(4).toString('hex')}`

export const writeRecord = (record: VerificationRecord): string =>
  JSON.stringify({ ...record, verification: toJson(VerificationSchema, record.verification) })

/** Fields that a newer control plane wrote are left out, so that versions can run side by side. */
export function readRecord(text: string): VerificationRecord {
  const record = JSON.parse(text) as Omit<VerificationRecord, 'verification'> & { readonly verification: JsonValue }
  return { ...record, verification: fromJson(VerificationSchema, record.verification, { ignoreUnknownFields: true }) }
}

/** The next revision, with the given differences. */
export const changed = (
  record: VerificationRecord,
  verification: Partial<Omit<Verification, '$typeName'>>,
): VerificationRecord => ({
  ...record,
  revision: record.revision + 1,
  verification: { ...record.verification, ...verification },
})

export const ended = (
  record: VerificationRecord,
  state: VerificationState,
  nowMs: number,
  more: Partial<Omit<Verification, '$typeName'>> = {},
): VerificationRecord => changed(record, { ...more, state, endTime: timestampFromMs(nowMs) })
