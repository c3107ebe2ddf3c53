import { create, equals } from '@bufbuild/protobuf'
import { type Timestamp, timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import {
  RetryBatchAction as Action,
  type RetryBatch,
  RetryBatchSchema,
  RetryBatchState,
} from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { type UseCase, UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Redis } from '../../runtime/redis.ts'
import type { LogReader } from '../attempts/log-reader.ts'
import { timeMs } from '../attempts/offset-filter.ts'
import { QueryError, refuse, refuseReusedRequestId } from '../attempts/query-error.ts'
import { subjectOf } from '../attempts/subject.ts'
import type { TopicOffsets } from '../attempts/topic-offsets.ts'
import { type Act, cancelBatch, pauseBatch, resumeBatch, type Step } from './acts.ts'
import type { BatchStore } from './batch.ts'
import { auditRow, type BatchAct, type BatchRecord, batchIdOf, isOver, newBatchId, withEvent } from './batch.ts'
import { checkBatch, namesPlacesOnly } from './check-batch.ts'
import { beginRates, withEstimate } from './estimate.ts'
import { findMissing } from './find-missing.ts'
import { givenRuns } from './given-offsets.ts'
import { selectionOf } from './hand-over.ts'
import { readMarks } from './lane-traces.ts'
import { type ItemPage, listItems } from './list-items.ts'
import { countSelected, limited, type Plan, planBatch } from './plan.ts'
import { countProgress, progressFields } from './progress.ts'
import type { Selection } from './selection.ts'

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
const defaultItems = 100
/** Only the leader's counting makes a second try. */
const triesMax = 10

/** What operators do with retry batches, on any replica. Throws QueryError and StoreError, and what `useCase` throws. */
export class RetryBatches {
  readonly #options: RetryBatchesOptions

  constructor(options: RetryBatchesOptions) {
    this.#options = options
  }

  /** With the time as of which it selects, Unix ms. */
  async plan(asked: RetryBatch): Promise<Plan & { readonly asOfMs: number }> {
    const { log, offsets, nowMs } = this.#options
    refuse(checkBatch(asked, nowMs()))
    const selection = await this.#select(asked, await this.#options.useCase(asked.useCase), nowMs())
    return { ...(await planBatch(log, offsets, selection, maxItemsOf(asked))), asOfMs: selection.asOfMs }
  }

  /** The same request id, where it is not empty, answers the first batch. */
  async create(asked: RetryBatch, requestId: string, creator: string): Promise<RetryBatch> {
    const { store, log, nowMs } = this.#options
    const createMs = nowMs()
    refuse(checkBatch(asked, createMs))
    const useCase = await this.#options.useCase(asked.useCase)
    if (useCase.status?.state === UseCaseState.DELETING)
      throw new QueryError('USE_CASE_DELETING', `${useCase.name} is being deleted: nothing of it is sent again`)
    const request = requestId === '' ? '' : `${useCase.uid} ${requestId}`
    const first = request === '' ? undefined : await store.readByRequest(request)
    if (first) return sameRequest(first, asked)
    const selection = await this.#select(asked, useCase, createMs)
    const counts = limited(await countSelected(log, selection), maxItemsOf(asked))
    const selected = BigInt([...counts.values()].reduce((sum, count) => sum + count, 0))
    const act = { action: Action.CREATE, actor: creator, reason: asked.reason, timeMs: createMs }
    const batch = create(RetryBatchSchema, {
      ...given(asked),
      ...{ name: `${useCase.name}/retryBatches/${newBatchId(createMs)}`, state: RetryBatchState.ENQUEUING, creator },
      ...{ selected, remaining: selected, createTime: timestampFromMs(createMs), asOfTime: timestampFromMs(selection.asOfMs) },
      ...withEvent({ events: [] }, act),
    })
    const record: BatchRecord = {
      ...{ batch, uid: useCase.uid, revision: 1, lap: 0, sweepMs: 0, request, withdrawn: false },
      partitions: [...counts.keys()].sort((a, b) => a - b),
      ...(asked.maxItems === undefined ? {} : { budgets: Object.fromEntries(counts) }),
      ...(selection.missing?.length ? { missing: selection.missing } : {}),
      rates: beginRates(0, createMs),
    }
    const stored = await store.create(record, request, auditRow(record, act))
    return stored === record ? batch : sameRequest(stored, asked)
  }

  async #select(asked: RetryBatch, useCase: UseCase, nowMs: number): Promise<Selection> {
    const { log, redis } = this.#options
    const { filter, asOfTime } = asked
    const subject = subjectOf(useCase)
    const named = namesPlacesOnly(filter) ? givenRuns(filter) : undefined
    const missing = named ? await findMissing(log, redis, subject, named) : undefined
    return { subject, filter, asOfMs: asOfTime ? timeMs(asOfTime) : nowMs, batch: undefined, missing }
  }

  /** With its progress as of now. */
  async get(name: string): Promise<RetryBatch> {
    const record = await this.#read(name)
    const { log, redis, useCaseByUid, nowMs } = this.#options
    const useCase = record.batch.state === RetryBatchState.DONE ? undefined : await useCaseByUid(record.uid)
    if (!useCase) return record.batch
    const subject = subjectOf(useCase)
    const lanes = await countProgress(log, selectionOf(record, subject), await readMarks(redis, record, subject))
    const { enqueued, ...fields } = progressFields(lanes)
    // Of a cancelled or paused batch it is no longer known what was handed over: the lanes' marks are closed.
    const isHanding = !isOver(record) && record.batch.state !== RetryBatchState.PAUSED
    return withEstimate({ ...record, batch: { ...record.batch, ...fields, ...(isHanding ? { enqueued } : {}) } }, nowMs())
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
    const { store, nowMs } = this.#options
    const size = pageSize || defaultPageSize
    const batches: RetryBatch[] = []
    let belowId = pageToken === '' ? undefined : pageToken
    for (let reads = 0; reads < readsMax; reads++) {
      const { records, more } = await store.list(useCase, belowId, size - batches.length)
      batches.push(...records.filter(({ batch }) => sees(batch.name)).map((record) => withEstimate(record, nowMs())))
      belowId = more ? batchIdOf(records.at(-1)!) : ''
      if (!more || batches.length === size) break
    }
    return { batches, nextPageToken: belowId ?? '' }
  }

  /** By partition and offset; those in other states are left out, where some are given. */
  async listItems(name: string, states: ItemStates, pageSize: number, pageToken: string): Promise<ItemPage> {
    const record = await this.#read(name)
    const useCase = await this.#options.useCaseByUid(record.uid)
    if (!useCase) throw new QueryError('RETRY_BATCH_NOT_FOUND', `the use case of ${name} is deleted, and its log with it`)
    return listItems(this.#options, record, subjectOf(useCase), { states, size: pageSize || defaultItems, pageToken })
  }

  pause(name: string, act: Act): Promise<RetryBatch> {
    return this.#do(name, act, pauseBatch)
  }

  resume(name: string, act: Act): Promise<RetryBatch> {
    return this.#do(name, act, resumeBatch)
  }

  cancel(name: string, act: Act): Promise<RetryBatch> {
    return this.#do(name, act, cancelBatch)
  }

  async #do(name: string, { actor, reason }: Act, step: Step): Promise<RetryBatch> {
    const { store, nowMs } = this.#options
    for (let tries = 0; tries < triesMax; tries++) {
      const record = await this.#read(name)
      const timeMs = nowMs()
      const done = step(record, timeMs)
      if (done === undefined) return record.batch
      const act: BatchAct = { action: done.action, actor, reason, timeMs }
      const next = { ...done.record, batch: { ...done.record.batch, ...withEvent(record.batch, act) } }
      if (await store.replace(next, true, auditRow(next, act))) return next.batch
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

type ItemStates = Parameters<typeof listItems>[3]['states']

const maxItemsOf = ({ maxItems }: RetryBatch): number | undefined => (maxItems === undefined ? undefined : Number(maxItems))

/** What a caller may choose, but for the time as of which it selects. */
const given = (asked: RetryBatch) => {
  const { useCase, filter, reason, maxItems, stalePolicy, recordsPerSecond, newIdempotencyKey } = asked
  return {
    ...{ useCase, reason, stalePolicy, newIdempotencyKey },
    ...(filter ? { filter } : {}),
    ...(maxItems === undefined ? {} : { maxItems }),
    ...(recordsPerSecond === undefined ? {} : { recordsPerSecond }),
  }
}

function sameRequest({ batch }: BatchRecord, asked: RetryBatch): RetryBatch {
  const isSameTime = msOf(batch.asOfTime) === (asked.asOfTime ? timeMs(asked.asOfTime) : msOf(batch.createTime))
  const isSame = equals(RetryBatchSchema, create(RetryBatchSchema, given(batch)), create(RetryBatchSchema, given(asked)))
  if (isSame && isSameTime) return batch
  return refuseReusedRequestId(batch.name, 'another batch')
}

const msOf = (time: Timestamp | undefined): number => (time ? timestampMs(time) : 0)
