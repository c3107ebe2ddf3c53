import { create, equals } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import {
  type CreateVerificationRequest,
  type Verification,
  VerificationSchema,
  VerificationState,
} from '../../proto/gen/ferry/v1/verification_service_pb.ts'
import { QueryError, refuse, refuseReusedRequestId } from '../attempts/query-error.ts'
import { checkAsked } from '../attempts/resolve-ranges.ts'
import { subjectOf } from '../attempts/subject.ts'
import { askOffsets, type TopicOffsets } from '../attempts/topic-offsets.ts'
import { askedOf } from './asked-of.ts'
import { ended, idOf, isOpen, newVerificationId, type VerificationRecord } from './verification-record.ts'
import type { VerificationStore } from './verification-store.ts'

export interface VerificationsOptions {
  readonly store: VerificationStore
  readonly offsets: TopicOffsets
  /** Throws when there is none. */
  readonly useCase: (name: string) => Promise<UseCase>
  readonly keptMs: number
  readonly nowMs: () => number
}

export interface ListedVerifications {
  readonly verifications: readonly Verification[]
  /** Empty on the last page. */
  readonly nextPageToken: string
}

const defaultPageSize = 50
/** Only the leader's counting makes a second try. */
const triesMax = 10

/** What callers do with verifications, on any replica; the leader counts them. Throws QueryError and StoreError, and what `useCase` throws. */
export class Verifications {
  readonly #options: VerificationsOptions

  constructor(options: VerificationsOptions) {
    this.#options = options
  }

  /** The same request id, where it is not empty, answers the first one. What is wrong with the ranges is told at once. */
  async create(request: CreateVerificationRequest, creator: string): Promise<Verification> {
    const { store, offsets, keptMs, nowMs } = this.#options
    const useCase = await this.#options.useCase(request.useCase)
    const { cluster, topic } = subjectOf(useCase)
    refuse(checkAsked(askedOf(request), await askOffsets(offsets.endOffsets(cluster, topic)), topic))
    const createMs = nowMs()
    const verification = create(VerificationSchema, {
      ...given(request),
      name: `${useCase.name}/verifications/${newVerificationId(createMs)}`,
      ...{ useCase: useCase.name, state: VerificationState.PENDING, creator },
      ...{ createTime: timestampFromMs(createMs), expireTime: timestampFromMs(createMs + keptMs) },
    })
    const stored = await store.create({ verification, uid: useCase.uid, revision: 1 }, request.requestId)
    return stored.verification.name === verification.name ? verification : sameRequest(stored.verification, request)
  }

  async get(name: string): Promise<Verification> {
    return (await this.#read(name)).verification
  }

  /** Newest first, without partitions and certificates. */
  async list(useCase: string, pageSize: number, pageToken: string): Promise<ListedVerifications> {
    const { name } = await this.#options.useCase(useCase)
    const size = pageSize || defaultPageSize
    const { records, more } = await this.#options.store.list(name, pageToken === '' ? undefined : pageToken, size)
    const last = records.at(-1)
    return { verifications: records.map(inShort), nextPageToken: more && last ? idOf(last) : '' }
  }

  /** Cancelling what is cancelled answers it. */
  async cancel(name: string): Promise<Verification> {
    const { store, nowMs } = this.#options
    for (let tries = 0; tries < triesMax; tries++) {
      const record = await this.#read(name)
      const { state } = record.verification
      if (state === VerificationState.CANCELLED) return record.verification
      if (!isOpen(record)) throw new QueryError('VERIFICATION_ENDED', `${name} has ended: there is nothing to cancel`)
      const cancelled = ended(record, VerificationState.CANCELLED, nowMs())
      if (await store.replace(cancelled)) return cancelled.verification
    }
    throw new QueryError('CONCURRENT_CHANGE', `${name} changes all the time: call again`)
  }

  async #read(name: string): Promise<VerificationRecord> {
    const record = await this.#options.store.read(name.slice(name.lastIndexOf('/') + 1))
    if (record?.verification.name !== name) {
      const what = `there is no verification ${JSON.stringify(name)}, or it is forgotten`
      throw new QueryError('VERIFICATION_NOT_FOUND', what)
    }
    return record
  }
}

type Given = Pick<CreateVerificationRequest, 'ranges' | 'fromTime' | 'toTime'>

/** What a caller may choose. */
const given = ({ ranges, fromTime, toTime }: Given) => ({
  ranges,
  ...(fromTime ? { fromTime } : {}),
  ...(toTime ? { toTime } : {}),
})

function inShort({ verification: { certificate: _, result, ...verification } }: VerificationRecord): Verification {
  return result === undefined ? verification : { ...verification, result: { ...result, partitions: [] } }
}

function sameRequest(first: Verification, asked: Given): Verification {
  if (equals(VerificationSchema, create(VerificationSchema, given(first)), create(VerificationSchema, given(asked)))) return first
  return refuseReusedRequestId(first.name, 'of another range')
}
