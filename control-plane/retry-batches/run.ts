import { timestampMs } from '@bufbuild/protobuf/wkt'
import { RetryBatchState } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Logger } from '../../runtime/log.ts'
import { laneOf, type Subject, subjectOf } from '../attempts/subject.ts'
import { freshLap } from './acts.ts'
import type { BatchStore } from './batch.ts'
import { type BatchRecord, batchIdOf, changed, createMs, ended, isOpen, isOver } from './batch.ts'
import { decide } from './decide.ts'
import { type HandOverLimits, type HandOverSources, handOver, selectionOf } from './hand-over.ts'
import { findInboxes, forget, readMarks, withdraw } from './lane-traces.ts'
import { Pace } from './pace.ts'
import { countProgress, type LaneProgress } from './progress.ts'
import { sweep } from './sweep.ts'

export interface RunLimits extends HandOverLimits {
  /** A batch begins so long after its creation: rows of what failed just before are still on their way into the log. */
  readonly settleMs: number
  /** Nothing has moved for so long: the lanes are gone through once more. */
  readonly sweepAfterMs: number
  /** The longest time between two sweeps that find nothing. */
  readonly sweepMsMax: number
  /** A batch rests for so many times as long as its turn took, at most for sweepAfterMs. */
  readonly restFactor: number
  /** How long after its end a batch's marks stay in the lanes. */
  readonly forgetAfterMs: number
}

export interface RunnerOptions extends HandOverSources {
  readonly store: Pick<BatchStore, 'active' | 'replace'>
  readonly useCaseByUid: (uid: string) => Promise<UseCase | undefined>
  /** Whether the log has all that is durable: what waits in the spool is on no page yet. Rejects when Kafka does not say. */
  readonly logIsWhole: () => Promise<boolean>
  readonly limits: RunLimits
  readonly nowMs: () => number
  readonly logger: Logger
}

/** Drives the active batches while this process leads; `step` is one round. A process that dies at any point of it loses nothing. */
export class RetryBatchRunner {
  /** States of the active batches at the last round. */
  states: readonly RetryBatchState[] = []
  readonly #options: RunnerOptions
  /** Wait before the next sweep of a batch, while sweeps find nothing. */
  readonly #sweepWaitMs = new Map<string, number>()
  /** When a batch has its next turn: a large one costs the log much, and rests for longer. */
  readonly #turnMs = new Map<string, number>()
  /** How long a batch rested last. */
  readonly #restMs = new Map<string, number>()
  readonly #paces = new Map<string, Pace>()

  constructor(options: RunnerOptions) {
    this.#options = options
  }

  /** A batch that fails is logged, and does not keep the others from their turn. */
  async step(): Promise<void> {
    const { store, lead, logger, nowMs, limits } = this.#options
    const active = await store.active()
    this.states = active.map(({ batch }) => batch.state)
    for (const record of active) {
      const { name } = record.batch
      if (!lead()) return
      if (nowMs() < (this.#turnMs.get(name) ?? 0)) continue
      const startedMs = performance.now()
      await this.#stepBatch(record).catch((error: unknown) =>
        logger.warn({ retryBatch: name, error: String(error) }, 'retry batch: a step failed, trying again'),
      )
      const restMs = (performance.now() - startedMs) * limits.restFactor
      this.#restMs.set(name, restMs)
      this.#turnMs.set(name, nowMs() + Math.min(restMs, limits.sweepAfterMs))
    }
  }

  async #stepBatch(record: BatchRecord): Promise<void> {
    const { store, useCaseByUid, nowMs, redis, limits } = this.#options
    const useCase = await useCaseByUid(record.uid)
    if (!useCase) {
      // Its lanes are gone, and what was in them.
      const last = !isOver(record) ? ended(record, RetryBatchState.CANCELLED, nowMs()) : changed(record, {})
      await store.replace({ ...last, withdrawn: true }, false)
      return
    }
    const subject = subjectOf(useCase)
    const { batch, partitions } = record
    if (batch.state === RetryBatchState.PAUSED) {
      if (record.withdrawn) await this.#count(record, subject).then((lanes) => this.#decide(record, subject, lanes))
      else await this.#withdraw(record, subject)
      return
    }
    if (isOpen(record)) {
      const isSettled = nowMs() >= createMs(record) + limits.settleMs
      if (isSettled && (await this.#options.logIsWhole())) await this.#stepOpen(record, subject)
      return
    }
    if (batch.state === RetryBatchState.CANCELLED) {
      if (!record.withdrawn) await this.#withdraw(record, subject)
      await this.#markInboxes(subject, partitions)
    }
    if (nowMs() <= timestampMs(batch.endTime!) + limits.forgetAfterMs) return
    await forget(redis, subject, partitions, batchIdOf(record))
    await store.replace(changed(record, {}), false)
    this.#sweepWaitMs.delete(batch.name)
    this.#turnMs.delete(batch.name)
    this.#restMs.delete(batch.name)
    this.#paces.delete(batch.name)
  }

  async #withdraw(record: BatchRecord, subject: Subject): Promise<void> {
    const { store, redis } = this.#options
    const lap = record.batch.state === RetryBatchState.PAUSED ? record.lap : undefined
    for (const partition of record.partitions) await withdraw(redis, subject, partition, batchIdOf(record), lap)
    await store.replace(changed(record, {}, { withdrawn: true }), true)
    await this.#markInboxes(subject, record.partitions)
  }

  async #stepOpen(record: BatchRecord, subject: Subject): Promise<void> {
    const { store, limits, nowMs } = this.#options
    let lanes = await this.#count(record, subject)
    const partitions = union(record.partitions, lanes)
    if (partitions.length > record.partitions.length) {
      // A lane is written down before it is handed anything, so that a cancel finds all of them.
      await store.replace(changed(record, {}, { partitions }), true)
      return
    }
    if (record.batch.state === RetryBatchState.ENQUEUING && lanes.some((lane) => lane.waiting > 0)) {
      const marks = await readMarks(this.#options.redis, record, subject)
      const handed = await handOver(this.#options, limits, record, subject, lanes, marks, this.#paceOf(record))
      if (handed > 0) lanes = await this.#count(record, subject)
    }
    if (await this.#decide(record, subject, lanes)) return
    if (record.batch.state === RetryBatchState.RUNNING && nowMs() >= record.sweepMs) await this.#sweep(record, subject, lanes)
  }

  /** Writes down what is new, and answers whether anything is. */
  async #decide(record: BatchRecord, subject: Subject, lanes: readonly LaneProgress[]): Promise<boolean> {
    const { store, limits, nowMs } = this.#options
    await this.#markInboxes(
      subject,
      lanes.filter(({ pending }) => pending > 0).map(({ partition }) => partition),
    )
    const next = decide(record, lanes, limits.sweepAfterMs, nowMs())
    if (next === record) return false
    this.#sweepWaitMs.delete(record.batch.name)
    await store.replace(next, true)
    return true
  }

  /** Undefined: as fast as may be. */
  #paceOf({ batch: { name, recordsPerSecond } }: BatchRecord): Pace | undefined {
    if (recordsPerSecond === undefined) return undefined
    const { nowMs, limits } = this.#options
    const pace = this.#paces.get(name) ?? new Pace(recordsPerSecond, nowMs())
    this.#paces.set(name, pace)
    pace.begin(nowMs(), Math.min(this.#restMs.get(name) ?? 0, limits.sweepAfterMs))
    return pace
  }

  async #sweep(record: BatchRecord, subject: Subject, lanes: readonly LaneProgress[]): Promise<void> {
    const { store, limits, nowMs } = this.#options
    const { name } = record.batch
    const waitMs = Math.min(limits.sweepMsMax, (this.#sweepWaitMs.get(name) ?? limits.sweepAfterMs) * 2)
    const next = changed(record, {}, { lap: record.lap + 1, sweepMs: nowMs() + waitMs })
    if (!(await store.replace(next, true))) return
    const { present, handed, blocked, lost } = await sweep(this.#options, limits, next, subject, lanes)
    if (lost) {
      await store.replace(changed(next, { state: RetryBatchState.ENQUEUING }, freshLap(next, nowMs())), true)
      return
    }
    if (handed > 0) this.#sweepWaitMs.delete(name)
    else this.#sweepWaitMs.set(name, waitMs)
    // With max_items, what has not ended and may not be handed over takes the place of what was: more failed than was counted.
    if (record.budgets && present === 0 && handed === 0 && !blocked)
      await store.replace(ended(next, RetryBatchState.DONE, nowMs()), true)
  }

  async #count(record: BatchRecord, subject: Subject): Promise<LaneProgress[]> {
    return countProgress(this.#options.log, selectionOf(record, subject), await readMarks(this.#options.redis, record, subject))
  }

  /** Again in every round: a leader that has just begun knows nothing of what its predecessor told the workers. */
  async #markInboxes(subject: Subject, partitions: readonly number[]): Promise<void> {
    const { redis, markInbox } = this.#options
    for (const partition of await findInboxes(redis, subject, partitions)) markInbox(laneOf(subject, partition))
  }
}

const union = (partitions: readonly number[], lanes: readonly LaneProgress[]): number[] =>
  [...new Set([...partitions, ...lanes.map(({ partition }) => partition)])].sort((a, b) => a - b)
