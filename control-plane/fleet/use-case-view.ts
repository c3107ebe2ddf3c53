import { durationMs } from '@bufbuild/protobuf/wkt'
import { type UseCase, UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { groupId, type LaneId } from '../../runtime/lane-keys.ts'
import { effective } from '../use-cases/defaults.ts'
import { memberOf } from '../use-cases/endpoint-group.ts'
import type { FleetUseCase } from './plan.ts'
import type { FleetDefinition } from './session-parts.ts'
import { type StartRule, startRule } from './start-offsets.ts'

/** A use case as the fleet works by it: every default filled in. */
export interface ViewedUseCase extends FleetUseCase {
  readonly name: string
  readonly cluster: string
  readonly topic: string
  readonly group: string
  readonly start: StartRule
  readonly failureRetentionMs: number
}

export const laneOf = (useCase: ViewedUseCase, partition: number): LaneId => ({
  uid: useCase.uid,
  cluster: useCase.cluster,
  topic: useCase.topic,
  partition,
})

export function viewUseCase(useCase: FleetDefinition): ViewedUseCase {
  const { source, delivery, log } = effective(useCase.spec!)
  return {
    uid: useCase.uid,
    name: useCase.name,
    ends: useCase.ends,
    state: stateOf(useCase),
    revision: Number(useCase.revision),
    cluster: source!.cluster,
    topic: source!.topic,
    group: groupId(useCase.name, useCase.uid),
    start: startRule(source!),
    maxInFlight: delivery!.maxInFlight!,
    parkedMax: Number(delivery!.parkedMax!),
    parkedBytesMax: Number(delivery!.parkedBytesMax!),
    isRateLimited: delivery!.rateLimit !== undefined,
    member: memberOf(useCase),
    failureRetentionMs: durationMs(log!.failureRetention!),
  }
}

function stateOf(useCase: UseCase): FleetUseCase['state'] {
  if (useCase.status?.state === UseCaseState.DELETING) return 'DELETING'
  // A state that this build does not know is no reason to deliver.
  return useCase.status?.state === UseCaseState.ACTIVE ? 'ACTIVE' : 'PAUSED'
}

/**
 * All use cases, as last read. One that vanishes although this leader has not finished its deletion was lost by Redis: its lanes
 * go on for a while, until it is restored from the audit.
 */
export class UseCaseViews {
  readonly #vanishedGraceMs: number
  readonly #cache = new WeakMap<FleetDefinition, ViewedUseCase>()
  #views: ReadonlyMap<string, ViewedUseCase> = new Map()
  readonly #vanishedAtMs = new Map<string, number>()
  /** Deleted by this leader: a reading that was on its way does not bring them back. */
  readonly #finished = new Set<string>()

  constructor(vanishedGraceMs: number) {
    this.#vanishedGraceMs = vanishedGraceMs
  }

  get all(): ReadonlyMap<string, ViewedUseCase> {
    return this.#views
  }

  /** Answers the names of those that have vanished since the last call. */
  update(useCases: Iterable<FleetDefinition>, nowMs: number): string[] {
    const views = new Map<string, ViewedUseCase>()
    for (const useCase of useCases) {
      if (this.#finished.has(useCase.uid)) continue
      const view = this.#cache.get(useCase) ?? viewUseCase(useCase)
      this.#cache.set(useCase, view)
      views.set(view.uid, view)
      this.#vanishedAtMs.delete(view.uid)
    }
    const vanished: string[] = []
    for (const [uid, view] of this.#views) {
      if (views.has(uid)) continue
      if (!this.#vanishedAtMs.has(uid)) vanished.push(view.name)
      const sinceMs = this.#vanishedAtMs.get(uid) ?? nowMs
      this.#vanishedAtMs.set(uid, sinceMs)
      if (nowMs - sinceMs < this.#vanishedGraceMs) views.set(uid, view)
      else this.#vanishedAtMs.delete(uid)
    }
    this.#views = views
    return vanished
  }

  /** It was deleted: that it is gone is as it should be. */
  finished(uid: string): void {
    const views = new Map(this.#views)
    views.delete(uid)
    this.#views = views
    this.#finished.add(uid)
    this.#vanishedAtMs.delete(uid)
  }
}
