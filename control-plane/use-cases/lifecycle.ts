import { create, equals } from '@bufbuild/protobuf'
import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt'
import { type UseCase, UseCaseState, type UseCaseStatus, UseCaseStatusSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { ChangeAction } from '../store/change.ts'
import type { Records } from '../store/records.ts'
import type { Caller } from './caller.ts'
import { type Decision, editUseCase, refuseDeleting } from './edit-use-case.ts'
import type { ParkedCount } from './parked-count.ts'
import { refuse, UseCaseError } from './use-case-error.ts'
import { activeStatus, nextRevision, stateOf } from './use-case-state.ts'

export interface LifecycleOptions {
  readonly records: Records
  readonly parked: ParkedCount
  readonly nowMs: () => number
}

/** Actor of what Ferry does by itself. */
const self = 'ferry'

/** Whether a use case flows, rests or goes. Throws UseCaseError and StoreError. */
export class Lifecycle {
  readonly #records: Records
  readonly #parked: ParkedCount
  readonly #nowMs: () => number

  constructor({ records, parked, nowMs }: LifecycleOptions) {
    this.#records = records
    this.#parked = parked
    this.#nowMs = nowMs
  }

  /** Pausing what is paused gives it the new reason and time. */
  async pause(name: string, reason: string, until: Timestamp | undefined, caller: Caller): Promise<UseCase> {
    if (until && timestampMs(until) <= this.#nowMs()) {
      const description = 'until must be in the future, or left out to pause until somebody resumes'
      refuse([{ field: 'until', description, reason: 'PAUSE_UNTIL' }])
    }
    const status = create(UseCaseStatusSchema, {
      state: UseCaseState.PAUSED,
      pauseReason: reason,
      ...(until && { pauseUntil: until }),
    })
    return editUseCase(this.#records, name, '', async (current) => {
      refuseDeleting(current)
      if (current.status && equals(UseCaseStatusSchema, current.status, status)) return undefined
      return this.#decision('PAUSE', current, status, caller.actor, reason)
    })
  }

  async resume(name: string, caller: Caller): Promise<UseCase> {
    return editUseCase(this.#records, name, '', async (current) => {
      refuseDeleting(current)
      if (stateOf(current) !== UseCaseState.PAUSED) return undefined
      return this.#decision('RESUME', current, activeStatus(), caller.actor, '')
    })
  }

  /** An answer of its endpoint has the meaning PAUSE. Does nothing when the revision that has sent the request is no longer the last. */
  async pauseByAnswer(uid: string, revision: number, reason: string): Promise<void> {
    const current = await this.#records.readByUid(uid)
    if (!current || Number(current.revision) !== revision || stateOf(current) !== UseCaseState.ACTIVE) return
    const status = create(UseCaseStatusSchema, { state: UseCaseState.PAUSED, pauseReason: reason })
    // A conflict means that somebody has just changed it, and with it what an answer means.
    await this.#records.write({ ...this.#decision('PAUSE', current, status, self, reason), before: current })
  }

  /** Resumes what was paused until now; the leader calls it each second. Answers what it resumed. */
  async resumeExpired(): Promise<UseCase[]> {
    const nowMs = this.#nowMs()
    const resumed: UseCase[] = []
    for (const current of (await this.#records.readAll()).values()) {
      const until = current.status?.pauseUntil
      if (stateOf(current) !== UseCaseState.PAUSED || !until || timestampMs(until) > nowMs) continue
      const decision = this.#decision('RESUME', current, activeStatus(), self, 'its pause has ended')
      // A conflict means that somebody has just changed it: the next call sees what it is then.
      const result = await this.#records.write({ ...decision, before: current })
      if (result.kind === 'WRITTEN') resumed.push(decision.after)
    }
    return resumed
  }

  /** Marks it as deleting: the fleet drains its lanes and then calls finishDelete. Deleting what is deleting answers it. */
  async delete(name: string, force: boolean, etag: string, caller: Caller): Promise<UseCase> {
    return editUseCase(this.#records, name, etag, async (current) => {
      if (stateOf(current) === UseCaseState.DELETING) return undefined
      if (!force) await this.#refuseParked(current)
      const status = create(UseCaseStatusSchema, { state: UseCaseState.DELETING })
      return this.#decision('DELETE', current, status, caller.actor, force ? 'forced' : '')
    })
  }

  /** Removes a use case whose lanes are drained. Answers whether it was there to be removed; only what is deleting is. */
  async finishDelete(uid: string): Promise<boolean> {
    const current = await this.#records.readByUid(uid)
    if (!current || stateOf(current) !== UseCaseState.DELETING) return false
    const change = { action: 'REMOVE', actor: self, reason: 'its lanes are drained', timeMs: this.#nowMs() } as const
    const result = await this.#records.write({ ...change, before: current, after: undefined })
    return result.kind === 'WRITTEN'
  }

  #decision(action: ChangeAction, current: UseCase, status: UseCaseStatus, actor: string, reason: string): Decision {
    const nowMs = this.#nowMs()
    return { action, actor, reason, timeMs: nowMs, after: nextRevision(current, { status }, nowMs) }
  }

  async #refuseParked(current: UseCase): Promise<void> {
    const { name } = current
    const count = await this.#parked.count(current).catch((cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new UseCaseError('STATE_UNAVAILABLE', `it is not known whether deliveries of ${name} wait (${why}): call again`, {
        cause,
      })
    })
    if (count === 0) return
    const what = count === 1 ? '1 delivery waits' : `${count} deliveries wait`
    const message = `${what} in ${name} for the next attempt: pause it and see to them, or delete with force; then they end SKIPPED`
    throw new UseCaseError('DELIVERIES_WAITING', message, { metadata: { name, count: String(count) } })
  }
}
