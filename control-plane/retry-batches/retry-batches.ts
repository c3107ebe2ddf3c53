import { create, equals } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type RetryBatch, RetryBatchSchema, RetryBatchState } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { type UseCase, UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Redis } from '../../runtime/redis.ts'
import type { LogReader } from '../attempts/log-reader.ts'
import { checkOffsetFilter } from '../attempts/offset-filter.ts'
import { QueryError, refuse } from '../attempts/query-error.ts'
import { subjectOf } from '../attempts/subject.ts'
import type { TopicOffsets } from '../attempts/topic-offsets.ts'
import { auditRow, type BatchRecord, batchIdOf, ended, isOpen, newBatchId } from './batch.ts'
import type { BatchStore } from './batch-store.ts'
import { selectionOf } from './hand-over.ts'
import { readMarks } from './lane-traces.ts'
import { countSelected, type Plan, planBatch } from './plan.ts'
import { countProgress, progressFields } from './progress.ts'

export interface RetryBatchesOptions {
  readonly store: BatchStore
  readonly log: LogReader
  readonly redis: Redis
  readonly offsets: TopicOffsets
  /** Throws when there is none. */
  readonly useCase: (name: string) => Promise<UseCase>
  readonly useCaseByUid: (uid: string) => Promise<UseCase | undefined>
  readonly nowMs: () => number
}

/** A page of batches, newest first. */
export interface RetryBatchPage {
  readonly batches: readonly RetryBatch[]
  /** Empty on the last page. */
  readonly nextPageToken: string
}

const defaultPageSize = 50
/** Of the list, for one page of what a caller sees. */
const readsMax = 20
/** Only the leader's counting makes a second try. */
const triesMax = 10

/** What operators do with retry batches, on any replica. Throws QueryError and StoreError, and what `useCase` throws. */
export class RetryBatches {
  readonly #options: RetryBatchesOptions

  constructor(options: RetryBatchesOptions) {
    this.#options = options
  }

  async plan(asked: RetryBatch): Promise<Plan> {
    const { log, offsets, nowMs } = this.#options
    refuse(asked.filter ? checkOffsetFilter(asked.filter, 'retry_batch.filter') : [])
    const subject = subjectOf(await this.#options.useCase(asked.useCase))
    const selection = { subject, filter: asked.filter, asOfMs: nowMs(), batch: undefined }
    return planBatch(log, offsets, selection, maxItemsOf(asked))
  }

  /** The same request id, where it is not empty, answers the first batch. */
  async create(asked: RetryBatch, requestId: string, creator: string): Promise<RetryBatch> {
    const { store, log, nowMs } = this.#options
    refuse(asked.filter ? checkOffsetFilter(asked.filter, 'retry_batch.filter') : [])
    const useCase = await this.#options.useCase(asked.useCase)
    if (useCase.status?.state === UseCaseState.DELETING)
      throw new QueryError('USE_CASE_DELETING', `${useCase.name} is being deleted: nothing of it is sent again`)
    const request = requestId === '' ? '' : `${useCase.uid} ${requestId}`
    const first = request === '' ? undefined : await store.readByRequest(request)
    if (first) return sameRequest(first, asked)
    const createMs = nowMs()
    const selection = { subject: subjectOf(useCase), filter: asked.filter, asOfMs: createMs, batch: undefined }
    const counts = await countSelected(log, selection, maxItemsOf(asked))
    const batch = create(RetryBatchSchema, {
      ...given(asked),
      name: `${useCase.name}/retryBatches/${newBatchId(createMs)}`,
      state: RetryBatchState.ENQUEUING,
      selected: BigInt([...counts.values()].reduce((sum, count) => sum + count, 0)),
      createTime: timestampFromMs(createMs),
      creator,
    })
    const record: BatchRecord = {
      ...{ batch, uid: useCase.uid, revision: 1, lap: 0, sweepMs: 0, request, withdrawn: false },
      partitions: [...counts.keys()].sort((a, b) => a - b),
      ...(asked.maxItems === undefined ? {} : { budgets: Object.fromEntries(counts) }),
    }
    const stored = await store.create(record, request, auditRow(record, 'RETRY_BATCH', creator, createMs))
    return stored === record ? batch : sameRequest(stored, asked)
  }

  /** With its progress as of now. */
  async get(name: string): Promise<RetryBatch> {
    const record = await this.#read(name)
    const { log, redis, useCaseByUid } = this.#options
    const useCase = record.batch.state === RetryBatchState.DONE ? undefined : await useCaseByUid(record.uid)
    if (!useCase) return record.batch
    const subject = subjectOf(useCase)
    const lanes = await countProgress(log, selectionOf(record, subject), await readMarks(redis, record, subject))
    const { enqueued, ...fields } = progressFields(lanes)
    // Of a cancelled batch it is no longer known what was handed over: the lanes' marks are closed.
    return { ...record.batch, ...fields, ...(isOpen(record) ? { enqueued } : {}) }
  }

  /**
   * Newest first, of one use case or (empty) of all that the caller sees, with progress as it was last counted. A page may be short of
   * pageSize and not be the last: so many batches are looked at for it and no more.
   */
  async list(
    useCase: string,
    pageSize: number,
    pageToken: string,
    sees: (name: string) => boolean = () => true,
  ): Promise<RetryBatchPage> {
    const size = pageSize || defaultPageSize
    const batches: RetryBatch[] = []
    let belowId = pageToken === '' ? undefined : pageToken
    for (let reads = 0; reads < readsMax; reads++) {
      const { records, more } = await this.#options.store.list(useCase, belowId, size - batches.length)
      batches.push(...records.map(({ batch }) => batch).filter(({ name }) => sees(name)))
      belowId = more ? batchIdOf(records.at(-1)!) : ''
      if (!more || batches.length === size) break
    }
    return { batches, nextPageToken: belowId ?? '' }
  }

  /** Cancelling what is cancelled answers it. */
  async cancel(name: string, actor: string): Promise<RetryBatch> {
    const { store, nowMs } = this.#options
    for (let tries = 0; tries < triesMax; tries++) {
      const record = await this.#read(name)
      const { state } = record.batch
      if (state === RetryBatchState.CANCELLED) return record.batch
      if (state === RetryBatchState.DONE)
        throw new QueryError('RETRY_BATCH_ENDED', `${name} is DONE: every delivery of it has ended, there is nothing to cancel`)
      const cancelled = ended(record, RetryBatchState.CANCELLED, nowMs())
      if (await store.replace(cancelled, true, auditRow(cancelled, 'RETRY_BATCH_CANCEL', actor, nowMs()))) return cancelled.batch
    }
    throw new QueryError('CONCURRENT_CHANGE', `${name} changes all the time: call again`)
  }

  async #read(name: string): Promise<BatchRecord> {
    const record = await this.#options.store.read(name.slice(name.lastIndexOf('/') + 1))
    if (record?.batch.name !== name)
      throw new QueryError('RETRY_BATCH_NOT_FOUND', `there is no retry batch ${JSON.stringify(name)}`)
    return record
  }
}

const maxItemsOf = ({ maxItems }: RetryBatch): number | undefined => (maxItems === undefined ? undefined : Number(maxItems))

/** What a caller may choose. */
const given = ({ useCase, filter, reason, maxItems, stalePolicy }: RetryBatch) => ({
  ...{ useCase, reason, stalePolicy },
  ...(filter ? { filter } : {}),
  ...(maxItems === undefined ? {} : { maxItems }),
})

function sameRequest({ batch }: BatchRecord, asked: RetryBatch): RetryBatch {
  if (equals(RetryBatchSchema, create(RetryBatchSchema, given(batch)), create(RetryBatchSchema, given(asked)))) return batch
  const description = `request_id was used for ${batch.name}, which is another batch: choose a new one`
  refuse([{ field: 'request_id', description, reason: 'REQUEST_ID_REUSED' }])
  return batch
}
