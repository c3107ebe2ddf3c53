import { ReplayState } from '../../proto/gen/ferry/v1/replay_pb.ts'
import { type UseCase, UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Redis } from '../../runtime/redis.ts'
import type { Lead } from '../attempts/leader-loop.ts'
import type { LogReader } from '../attempts/log-reader.ts'
import { countReplay, type ReplayProgress } from './progress.ts'
import { changedReplay, endedReplay, fleetUidOf, isRunning, type ReplayRecord, type ReplayStore } from './replay.ts'
import type { ReplayDefinitions } from './replay-definitions.ts'

export interface ReplayRunnerOptions {
  readonly store: ReplayStore
  readonly definitions: Pick<ReplayDefinitions, 'cancelOrphan'>
  readonly log: LogReader
  readonly redis: Redis
  readonly lead: Lead
  readonly useCaseByUid: (uid: string) => Promise<UseCase | undefined>
  /** Whether the log has all that is durable: what waits in the spool is not counted yet. */
  readonly logIsWhole: () => Promise<boolean>
  /** One has ended: the fleet is to look at once. */
  readonly changed: () => void
  readonly nowMs: () => number
  readonly logger: Logger
}

/** Ends replays whose lanes are done while this process leads; `step` is one round. The sending is the fleet's. */
export class ReplayRunner {
  readonly #options: ReplayRunnerOptions

  constructor(options: ReplayRunnerOptions) {
    this.#options = options
  }

  async step(): Promise<void> {
    const { store, lead, logger } = this.#options
    for (const record of await store.active()) {
      if (!lead()) return
      if (!isRunning(record)) continue
      await this.#one(record).catch((error: unknown) =>
        logger.warn({ replay: record.replay.name, error: String(error) }, 'replay: a step failed, trying again'),
      )
    }
  }

  async #one(record: ReplayRecord): Promise<void> {
    const { store, definitions, log, redis, useCaseByUid, changed, nowMs } = this.#options
    const state = (await useCaseByUid(record.uid))?.status?.state
    if (state === undefined || state === UseCaseState.DELETING) return definitions.cancelOrphan(fleetUidOf(record))
    const progress = await countReplay(log, redis, record)
    const isDone = progress.doneCount >= record.replay.offsetCount && (await this.#options.logIsWhole())
    // Counted once more: the first count may have been before the last rows.
    const counted = isDone ? { ...(await countReplay(log, redis, record)), doneCount: progress.doneCount } : progress
    if (!isDone && !moved(record, counted)) return
    const next = changedReplay(record, counted)
    const last = isDone ? { ...endedReplay(next, ReplayState.DONE, nowMs()), revision: record.revision + 1 } : next
    if ((await store.replace(last, true)) && isDone) changed()
  }
}

const moved = ({ replay }: ReplayRecord, progress: ReplayProgress): boolean =>
  (Object.keys(progress) as (keyof ReplayProgress)[]).some((field) => progress[field] !== replay[field])
