// What tests of retry batches share: a log, lanes in Redis, the control plane's part and a worker as far as batches know it.

import { randomBytes } from 'node:crypto'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { type RetryBatch, RetryBatchSchema } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { Ordering, type UseCase, UseCaseSchema, UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { laneKey, laneKeys, type ParkedEntry, readInbox, writeParked } from '../../runtime/lane-keys.ts'
import { QueryError } from '../attempts/query-error.ts'
import { laneOf, type Subject } from '../attempts/subject.ts'
import { type GivenAttempt, newSubject, silent, type TestLog } from '../attempts/test-log.ts'
import { controlKeys } from '../store/control-keys.ts'
import { orderKeys } from '../store/order-keys.ts'
import { OrderStore } from '../store/order-store.ts'
import { type BatchStore, batchKind } from './batch.ts'
import { RetryBatches } from './retry-batches.ts'
import { RetryBatchRunner, type RunLimits } from './run.ts'

const runLimits: RunLimits = {
  ...{ pageSize: 1000, pagesPerTurn: 20, inboxMax: 10_000, settleMs: 0, sweepAfterMs: 10_000, sweepMsMax: 60_000 },
  ...{ restFactor: 0, forgetAfterMs: 3_600_000 },
}

type Outcome = NonNullable<GivenAttempt['outcome']>

/** One use case with its lanes. */
export class TestBatches {
  readonly log: TestLog
  readonly subject: Subject
  readonly store: BatchStore
  readonly api: RetryBatches
  readonly keys = orderKeys('retry-batches', `test-${randomBytes(6).toString('hex')}`)
  readonly control = controlKeys(`test-${randomBytes(6).toString('hex')}`)
  /** Lanes whose workers were told to look. */
  readonly marked = new Set<string>()
  /** What Kafka still has. */
  readonly starts = new Map([
    [0, 0],
    [1, 0],
    [2, 0],
  ]) // prettier-ignore
  /** The clock of the control plane. */
  nowMs = Date.now()
  exists = true
  /** Whether nothing waits in the spool. */
  logIsWhole = true

  constructor(log: TestLog, subject: Subject) {
    this.log = log
    this.subject = subject
    const { keys, control } = this
    this.store = new OrderStore(batchKind, {
      redis: log.redis,
      keys,
      control,
      activeMax: 50,
      keptMax: 100,
      outboxEntriesMax: 1000,
    })
    this.api = new RetryBatches({
      ...{ store: this.store, log: log.reader, redis: log.redis },
      offsets: { endOffsets: async () => new Map(), startOffsets: async () => this.starts },
      useCase: async (name) => {
        if (name !== subject.name) throw new QueryError('LIMIT_EXCEEDED', `no use case ${name}`)
        return this.#useCase()
      },
      useCaseByUid: async (uid) => (this.exists && uid === subject.uid ? this.#useCase() : undefined),
      nowMs: () => this.nowMs,
    })
  }

  #useCase(): UseCase {
    const { name, uid, cluster, topic, keyOrder } = this.subject
    return create(UseCaseSchema, {
      ...{ name, uid, status: { state: UseCaseState.ACTIVE } },
      spec: { source: { cluster, topic }, delivery: { ordering: keyOrder ? Ordering.KEY : Ordering.UNORDERED } },
    })
  }

  /** A leader of its own memory, as after a start. */
  runner(
    limits: Partial<RunLimits> = {},
    lead: () => { term: number } | undefined = () => ({ term: 1 }),
    store: Pick<BatchStore, 'active' | 'replace'> = this.store,
  ): RetryBatchRunner {
    return new RetryBatchRunner({
      ...{ store, log: this.log.reader, redis: this.log.redis, lead, logger: silent },
      markInbox: (lane) => this.marked.add(laneKey(lane)),
      useCaseByUid: async (uid) => (this.exists && uid === this.subject.uid ? this.#useCase() : undefined),
      limits: { ...runLimits, ...limits },
      logIsWhole: async () => this.logIsWhole,
      nowMs: () => this.nowMs,
    })
  }

  /** An audit that nothing has been lost of, and a lane for each partition. */
  async open(partitions: readonly number[] = [0]): Promise<void> {
    await this.log.redis.hset(this.control.changes, { last: 0, drained: 0 })
    for (const partition of partitions) await this.openLane(partition)
  }

  async openLane(partition: number): Promise<void> {
    await this.log.redis.hset(laneKeys(laneOf(this.subject, partition)).lane, { epoch: 1, version: 1, cursor: 1_000_000 })
  }

  /** Deliveries that failed a minute ago. */
  async fail(offsets: readonly number[], more: Partial<GivenAttempt> = {}): Promise<void> {
    const sentMs = this.nowMs - 60_000
    await this.log.insertAttempts(
      this.subject,
      offsets.map((offset) => ({ offset, outcome: 'FAILED', sentMs, ...more })),
    )
  }

  create(more: MessageInitShape<typeof RetryBatchSchema> = {}, requestId = ''): Promise<RetryBatch> {
    const asked = create(RetryBatchSchema, { useCase: this.subject.name, reason: 'fixed', ...more })
    return this.api.create(asked, requestId, 'somebody')
  }

  async inbox(partition = 0): Promise<Record<string, string>> {
    return this.log.redis.hgetall(laneKeys(laneOf(this.subject, partition)).inbox)
  }

  /** As when Redis has lost it. */
  async drop(offset: number, partition = 0): Promise<void> {
    await this.log.redis.hdel(laneKeys(laneOf(this.subject, partition)).inbox, String(offset))
  }

  async inboxOffsets(partition = 0): Promise<number[]> {
    return Object.keys(await this.inbox(partition))
      .map(Number)
      .sort((a, b) => a - b)
  }

  async park(offset: number, more: Partial<ParkedEntry> = {}, partition = 0): Promise<void> {
    const entry: ParkedEntry = {
      ...{ state: 'P', keyHash: undefined, attempts: 0, unpaid: 0, firstMs: 0, lastMs: 0, dueMs: 0, round: 0, bytes: 0 },
      ...{ where: 'K', batch: undefined, stale: false, newKey: false },
    }
    await this.log.redis.hset(laneKeys(laneOf(this.subject, partition)).parked, offset, writeParked({ ...entry, ...more }))
  }

  /** A worker: takes everything from a lane's inbox and ends it at once, each delivery in the round after its highest item's. */
  async work(outcomeOf: (offset: number) => Outcome, partition = 0): Promise<number[]> {
    const keys = laneKeys(laneOf(this.subject, partition))
    const items = Object.entries(await this.log.redis.hgetall(keys.inbox)).filter(([field]) => !field.startsWith('cancel:'))
    const rows = items.map(([offset, text]): GivenAttempt => {
      const brought = readInbox(text)
      const round = Math.max(...brought.map((item) => item.round)) + 1
      const outcome = brought.every((item) => item.stale) ? 'SUPERSEDED' : outcomeOf(Number(offset))
      return {
        partition,
        offset: Number(offset),
        round,
        outcome,
        epoch: 2,
        sentMs: this.nowMs + 1000,
        batch: brought.at(-1)!.batch,
      }
    })
    await this.log.insertAttempts(this.subject, rows)
    if (items.length > 0) await this.log.redis.hdel(keys.inbox, ...items.map(([offset]) => offset))
    return rows.map((row) => row.offset)
  }
}

/** A use case of its own on a shared log, with a lane for each partition. */
export async function openTestBatches(
  log: TestLog,
  partitions: readonly number[] = [0],
  more: Partial<Subject> = {},
): Promise<TestBatches> {
  const batches = new TestBatches(log, newSubject(more))
  await batches.open(partitions)
  return batches
}
