import type { Assignment, Heartbeat, LaneReport } from './heartbeat.ts'
import { isHeld } from './heartbeat.ts'
import { RateClaims } from './rate-claims.ts'

/** A worker as the leader remembers it. Times are of the leader's monotonic clock unless they say otherwise. */
export interface Worker {
  readonly instance: string
  readonly joinedMs: number
  description: string
  startTimeMs: number
  draining: boolean
  /** An operator has asked for it; in memory until the worker says it itself. */
  isTold: boolean
  sequence: number
  heardMs: number
  heardWallMs: number
  /** It has told all its lanes at least once: before that nothing may be taken from what it does not say. */
  isComplete: boolean
  /** Heartbeats are missing: it must tell all its lanes again. */
  hasGap: boolean
  appliedVersion: number
  /** Its lanes as last told, without those that it has let go of. */
  readonly reports: Map<string, LaneReport>
  /** What it should hold, and the version of that. */
  list: readonly Assignment[]
  listVersion: number
  readonly rateClaims: RateClaims
}

/** Every instance that the leader has heard from. In memory only: a new leader learns all of it within a heartbeat. */
export class Workers {
  readonly #workers = new Map<string, Worker>()
  /** Instances that were expelled, and until when that is worth knowing. */
  readonly #expelled = new Map<string, number>()
  readonly #silentAfterMs: number
  readonly #expelledForMs: number

  constructor(silentAfterMs: number, expelledForMs: number) {
    this.#silentAfterMs = silentAfterMs
    this.#expelledForMs = expelledForMs
  }

  get(instance: string): Worker | undefined {
    return this.#workers.get(instance)
  }

  get size(): number {
    return this.#workers.size
  }

  all(): Worker[] {
    return [...this.#workers.values()].sort((a, b) => (a.instance < b.instance ? -1 : 1))
  }

  isExpelled(instance: string): boolean {
    return this.#expelled.has(instance)
  }

  isSilent(worker: Worker, nowMs: number): boolean {
    return nowMs - worker.heardMs >= this.#silentAfterMs
  }

  /** Whether it may be given lanes now. */
  accepts(worker: Worker, nowMs: number): boolean {
    return worker.isComplete && !worker.draining && !this.isSilent(worker, nowMs)
  }

  /** Takes a heartbeat down. Undefined when it is an older one that came late. */
  hear(beat: Heartbeat, nowMs: number, wallMs: number): Worker | undefined {
    const known = this.#workers.get(beat.instance)
    if (known !== undefined && beat.sequence <= known.sequence) return undefined
    const worker = known ?? newWorker(beat, nowMs)
    this.#workers.set(beat.instance, worker)
    worker.description = beat.description
    worker.startTimeMs = beat.startTimeMs
    // Leaving is for good.
    worker.draining ||= beat.draining
    if (beat.draining) worker.isTold = false
    worker.hasGap = !beat.complete && (worker.hasGap || beat.sequence !== worker.sequence + 1)
    worker.isComplete ||= beat.complete
    worker.sequence = beat.sequence
    worker.heardMs = nowMs
    worker.heardWallMs = wallMs
    worker.appliedVersion = beat.assignmentVersion
    if (beat.complete) worker.reports.clear()
    for (const report of beat.lanes) {
      if (isHeld(report)) worker.reports.set(report.key, report)
      else worker.reports.delete(report.key)
    }
    return worker
  }

  /** Takes it out, for an operator. Whether another one could take its lanes; if not, nothing has changed. */
  drain(worker: Worker, nowMs: number): boolean {
    if (worker.draining) return true
    if (!this.all().some((other) => other !== worker && this.accepts(other, nowMs))) return false
    worker.draining = true
    worker.isTold = true
    return true
  }

  expel(instance: string, nowMs: number): void {
    this.#workers.delete(instance)
    this.#expelled.set(instance, nowMs + this.#expelledForMs)
  }

  /** Forgets workers that are gone and hold nothing, and expels that no longer matter. */
  forget(holdsNothing: (instance: string) => boolean, nowMs: number): void {
    for (const worker of this.#workers.values()) {
      if (this.isSilent(worker, nowMs) && holdsNothing(worker.instance)) this.#workers.delete(worker.instance)
    }
    for (const [instance, untilMs] of this.#expelled) if (untilMs <= nowMs) this.#expelled.delete(instance)
  }
}

const newWorker = (beat: Heartbeat, nowMs: number): Worker => ({
  instance: beat.instance,
  joinedMs: nowMs,
  description: beat.description,
  startTimeMs: beat.startTimeMs,
  draining: false,
  isTold: false,
  sequence: beat.sequence - 1,
  heardMs: nowMs,
  heardWallMs: 0,
  isComplete: false,
  hasGap: false,
  appliedVersion: 0,
  reports: new Map(),
  list: [],
  listVersion: 0,
  rateClaims: new RateClaims(),
})
