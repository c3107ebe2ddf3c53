import { ReplayState } from '../../proto/gen/ferry/v1/replay_pb.ts'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { splitUid } from '../../runtime/lane-keys.ts'
import type { FleetDefinition } from '../fleet/session-parts.ts'
import { replayDefinition } from './definition.ts'
import { changedReplay, endedReplay, fleetUidOf, isRunning, type ReplayStore, replayAudit } from './replay.ts'

export interface ReplayDefinitionsOptions {
  readonly store: ReplayStore
  readonly useCaseByUid: (uid: string) => Promise<UseCase | undefined>
  readonly nowMs: () => number
}

/** Active replays as the fleet knows them: use cases with uids of their own. */
export class ReplayDefinitions {
  readonly #options: ReplayDefinitionsOptions

  constructor(options: ReplayDefinitionsOptions) {
    this.#options = options
  }

  async all(): Promise<FleetDefinition[]> {
    const { store, useCaseByUid } = this.#options
    return Promise.all((await store.active()).map(async (record) => replayDefinition(record, await useCaseByUid(record.uid))))
  }

  /** For the worker that holds its lanes; undefined also for the uid of a use case. */
  async getByUid(fleetUid: string): Promise<UseCase | undefined> {
    const { replay } = splitUid(fleetUid)
    const record = replay === '' ? undefined : await this.#options.store.read(replay)
    if (record === undefined || fleetUidOf(record) !== fleetUid || !isRunning(record)) return undefined
    const useCase = await this.#options.useCaseByUid(record.uid)
    return useCase && replayDefinition(record, useCase)
  }

  /** Its lanes are gone. */
  async finished(fleetUid: string): Promise<void> {
    const { store, nowMs } = this.#options
    const record = await store.read(splitUid(fleetUid).replay)
    if (record === undefined) return
    const last = isRunning(record) ? endedReplay(record, ReplayState.CANCELLED, nowMs(), useCaseGone) : changedReplay(record, {})
    if (!(await store.replace(last, false))) throw new Error(`${record.replay.name} was changed meanwhile`)
  }

  /** Cancels those of a use case that is gone, or is being deleted. */
  async cancelOrphan(fleetUid: string): Promise<void> {
    const { store, nowMs } = this.#options
    const record = await store.read(splitUid(fleetUid).replay)
    if (record === undefined || !isRunning(record)) return
    const cancelled = endedReplay(record, ReplayState.CANCELLED, nowMs(), useCaseGone)
    await store.replace(cancelled, true, replayAudit(cancelled, 'REPLAY_CANCEL', 'ferry', useCaseGone, nowMs()))
  }
}

const useCaseGone = 'its use case was deleted'
