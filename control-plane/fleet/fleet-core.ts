import type { LaneId } from '../../runtime/lane-keys.ts'
import { type Heartbeat, type HeartbeatReply, isHeld, type Release } from './heartbeat.ts'
import { type FoundLane, LaneTable } from './lane-table.ts'
import { buildLists } from './lists.ts'
import { dropGrants, type FleetUseCase, type Grant, giveGranted, plan } from './plan.ts'
import { type Worker, Workers } from './workers.ts'

export interface FleetTimings {
  /** A worker not heard for so long is silent: its lanes are taken as soon as its lease allows. */
  readonly heartbeatTimeoutMs: number
  readonly heartbeatIntervalMs: number
  /** Between heartbeats of a worker that is about to be given or relieved of lanes. */
  readonly hurryIntervalMs: number
  /** Lanes that nobody holds wait so long for more workers after the first has come. */
  readonly gatherMs: number
  readonly movesMax: number
  /** Workers that are heard; others are refused. */
  readonly workersMax: number
  /** Lanes of one worker; what does not fit waits for another. */
  readonly lanesPerWorkerMax: number
  /** How long an expelled instance stays expelled. */
  readonly expelledForMs: number
}

export interface Heard {
  /** Lanes that the worker may forget. */
  readonly acknowledged: readonly Release[]
  /** Whether what it said calls for a step. Until one is taken nobody is told a list. */
  readonly calls: boolean
}

/** An inbox is named in so many replies: one that is lost is no loss. */
const inboxReplies = 3

/**
 * One leader's whole view of the fleet, from its election to its end. No I/O and no clock: nowMs is monotonic, wallMs is Unix time.
 * What it decides takes effect through others: grants are written down before `granted`, expels happen in Redis before `expelled`.
 */
export class FleetCore {
  readonly table = new LaneTable()
  readonly workers: Workers
  readonly #timings: FleetTimings
  readonly #inboxes = new Map<string, number>()
  #useCases: ReadonlyMap<string, FleetUseCase> = new Map()
  #expecting: ReadonlySet<string> = new Set()
  #version: number
  /** Changes of the table that the last step has seen: lists are no older than that. */
  #steppedAt = -1
  #gatheredAtMs: number | undefined

  /** `firstVersion` is above every list's version of any leader before. */
  constructor(timings: FleetTimings, firstVersion: number) {
    this.#timings = timings
    this.#version = firstVersion
    this.workers = new Workers(timings.heartbeatTimeoutMs, timings.expelledForMs)
  }

  get lanesPerWorkerMax(): number {
    return this.#timings.lanesPerWorkerMax
  }

  /** Whether no worker may come that is not known yet. */
  get isFull(): boolean {
    return this.workers.size >= this.#timings.workersMax
  }

  get useCases(): ReadonlyMap<string, FleetUseCase> {
    return this.#useCases
  }

  setUseCases(useCases: ReadonlyMap<string, FleetUseCase>): void {
    this.#useCases = useCases
  }

  resolve(key: string, found: FoundLane): void {
    this.table.resolve(key, found, this.workers, this.#version + 1)
  }

  /** Undefined when it is an older heartbeat that came late, or comes from an instance that was expelled. */
  hear(beat: Heartbeat, nowMs: number, wallMs: number): Heard | undefined {
    if (this.workers.isExpelled(beat.instance)) return undefined
    const before = this.workers.get(beat.instance)
    const accepted = before !== undefined && this.workers.accepts(before, nowMs)
    // A version that this leader has not given yet is another's, and says nothing about its lists.
    const own = beat.assignmentVersion > this.#version ? { ...beat, assignmentVersion: 0 } : beat
    const worker = this.workers.hear(own, nowMs, wallMs)
    if (worker === undefined) return undefined
    const acknowledged = this.table.hear(own, nowMs, this.#version + 1)
    // Others may have what it no longer sends by.
    const freesRate = worker.rateClaims.applied(own.assignmentVersion)
    // What could not be heard yet must be told again.
    if (acknowledged.length < own.lanes.filter((lane) => !isHeld(lane)).length) worker.hasGap = true
    const isAcceptedAnew = accepted !== this.workers.accepts(worker, nowMs)
    return { acknowledged, calls: this.#steppedAt !== this.table.changes || isAcceptedAnew || freesRate }
  }

  /** Takes the next step of every lane; answers what must be written down before it is told. */
  step(nowMs: number, wallMs: number): readonly Grant[] {
    const { movesMax, lanesPerWorkerMax } = this.#timings
    this.#steppedAt = this.table.changes
    const mayGrant = this.#mayGrant(nowMs)
    const next = this.#version + 1
    const limits = { movesMax, lanesPerWorkerMax, mayGrant }
    const { grants, expecting } = plan(this.table, this.workers, this.#useCases, limits, nowMs, wallMs, next)
    this.#expecting = expecting
    this.#build()
    const holders = this.table.holders()
    this.workers.forget((instance) => !holders.has(instance), nowMs)
    return grants
  }

  granted(grants: readonly Grant[]): void {
    giveGranted(this.table, grants)
    this.#build()
  }

  dropped(grants: readonly Grant[]): void {
    dropGrants(this.table, grants)
  }

  expelled(instance: string, nowMs: number): void {
    this.workers.expel(instance, nowMs)
    this.table.expel(instance)
  }

  /** Holders of lanes that are silent, or that this leader has never heard. */
  suspects(nowMs: number): string[] {
    return [...this.table.holders()].filter((instance) => {
      const worker = this.workers.get(instance)
      return worker === undefined || this.workers.isSilent(worker, nowMs)
    })
  }

  markInbox(key: string): void {
    this.#inboxes.set(key, inboxReplies)
  }

  /** `ownVersion` is that of the list the worker says it works by. */
  reply(instance: string, ownVersion: number, acknowledged: readonly Release[]): HeartbeatReply {
    const worker = this.workers.get(instance)
    if (worker === undefined) return this.#nothingNew(ownVersion)
    // Until a step has seen what was said last, lists may leave out what a worker rightly holds: it would let it go.
    const isStepped = this.#steppedAt === this.table.changes
    const isReady = isStepped && worker.isComplete && !this.#holdsUnread(worker)
    const { isMissing, isLeaving } = this.#openLanes(worker)
    const hurries = !isReady || worker.hasGap || isMissing || isLeaving || this.#expecting.has(instance)
    return {
      assignmentVersion: isReady ? worker.listVersion : ownVersion,
      assignments: isReady && ownVersion !== worker.listVersion ? worker.list : undefined,
      acknowledged,
      inboxes: this.#takeInboxes(worker),
      nextIntervalMs: hurries ? this.#timings.hurryIntervalMs : this.#timings.heartbeatIntervalMs,
      sendComplete: !worker.isComplete || worker.hasGap || isMissing,
      drain: worker.isTold,
    }
  }

  /** The reply to a heartbeat that came late reaches nobody. */
  #nothingNew(ownVersion: number): HeartbeatReply {
    return {
      assignmentVersion: ownVersion,
      assignments: undefined,
      acknowledged: [],
      inboxes: [],
      nextIntervalMs: this.#timings.heartbeatIntervalMs,
      sendComplete: false,
      drain: false,
    }
  }

  #build(): void {
    this.#version = buildLists(this.table, this.workers, this.#useCases, this.#version)
  }

  /** Whoever comes first would else be given all lanes, and have to give most of them away again. */
  #mayGrant(nowMs: number): boolean {
    if (!this.workers.all().some((worker) => this.workers.accepts(worker, nowMs))) {
      this.#gatheredAtMs = undefined
      return false
    }
    this.#gatheredAtMs ??= nowMs + this.#timings.gatherMs
    return nowMs >= this.#gatheredAtMs
  }

  /** While a lane that it holds is not read, no list may leave it out. */
  #holdsUnread(worker: Worker): boolean {
    for (const key of worker.reports.keys()) if (this.table.get(key)?.holding.state === 'UNKNOWN') return true
    return false
  }

  /**
   * isLeaving: it has yet to let go of a lane. isMissing: it has seen that, and says nothing of the lane; only a complete report
   * tells that it does not hold it.
   */
  #openLanes(worker: Worker): { isMissing: boolean; isLeaving: boolean } {
    let isMissing = false
    let isLeaving = false
    for (const { key, holding } of this.table.all()) {
      if (holding.state !== 'LEAVING' || holding.instance !== worker.instance) continue
      isLeaving = true
      if (worker.appliedVersion >= holding.sinceVersion && !worker.reports.has(key)) isMissing = true
    }
    return { isMissing, isLeaving }
  }

  #takeInboxes(worker: Worker): LaneId[] {
    const ids: LaneId[] = []
    for (const [key, left] of this.#inboxes) {
      const lane = this.table.get(key)
      if (lane === undefined) this.#inboxes.delete(key)
      if (lane?.holding.state !== 'GIVEN' || lane.holding.instance !== worker.instance) continue
      ids.push(lane.id)
      if (left > 1) this.#inboxes.set(key, left - 1)
      else this.#inboxes.delete(key)
    }
    return ids
  }
}
