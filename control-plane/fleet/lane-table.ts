import type { LaneId } from '../../runtime/lane-keys.ts'
import { type Heartbeat, isHeld, type LaneReport, type Release } from './heartbeat.ts'
import { afterExpel, afterSilenceAbout, afterWord, type Holding, holderOf, type Word } from './reconcile.ts'
import type { Worker, Workers } from './workers.ts'

/** A lane that exists and may be given to a worker. */
export interface LaneRecord {
  readonly id: LaneId
  readonly key: string
  holding: Holding
  /** The highest epoch that Redis, the grants or a worker have shown. */
  highestEpoch: number
  /** How often in a row it was lost without having run. */
  losses: number
  /** Monotonic clock: not given before. */
  notBeforeMs: number
  /** Why it cannot be given at all. */
  problem: string | undefined
}

/** What Redis knew of a lane when the leader first read it. */
export interface FoundLane {
  readonly epoch: number
  /** Instance that may hold it. */
  readonly holder: string | undefined
  /** Version of its state when it is known to be clean, else 0. */
  readonly releasedVersion: number
  readonly notBeforeMs: number
}

const lossPauseMs = 250
const lossPauseMsMax = 10_000

/** Every lane with who holds it. Plain memory: the transitions are those of reconcile.ts. */
export class LaneTable {
  readonly #lanes = new Map<string, LaneRecord>()
  /** The same by use case: with thousands of use cases nobody may look through all lanes for each. */
  readonly #byUid = new Map<string, Map<string, LaneRecord>>()
  #changes = 0

  /** Grows whenever what workers say, or an expel, changes who holds a lane. */
  get changes(): number {
    return this.#changes
  }

  get(key: string): LaneRecord | undefined {
    return this.#lanes.get(key)
  }

  all(): Iterable<LaneRecord> {
    return this.#lanes.values()
  }

  ofUseCase(uid: string): LaneRecord[] {
    return [...(this.#byUid.get(uid)?.values() ?? [])]
  }

  /** Takes note of a lane that is not read yet. */
  add(key: string, id: LaneId): void {
    if (this.#lanes.has(key)) return
    const holding: Holding = { state: 'UNKNOWN' }
    const lane: LaneRecord = { id, key, holding, highestEpoch: 0, losses: 0, notBeforeMs: 0, problem: undefined }
    this.#lanes.set(key, lane)
    const ofUseCase = this.#byUid.get(id.uid)
    if (ofUseCase === undefined) this.#byUid.set(id.uid, new Map([[key, lane]]))
    else ofUseCase.set(key, lane)
  }

  remove(key: string): void {
    const lane = this.#lanes.get(key)
    if (lane === undefined) return
    this.#lanes.delete(key)
    const ofUseCase = this.#byUid.get(lane.id.uid)
    ofUseCase?.delete(key)
    if (ofUseCase?.size === 0) this.#byUid.delete(lane.id.uid)
  }

  /** The lane has been read: who holds it is known, by Redis and by what workers have said meanwhile. */
  resolve(key: string, found: FoundLane, workers: Workers, nextVersion: number): void {
    const lane = this.#lanes.get(key)
    if (lane?.holding.state !== 'UNKNOWN') return
    lane.highestEpoch = Math.max(lane.highestEpoch, found.epoch)
    lane.notBeforeMs = found.notBeforeMs
    this.#changes++
    lane.holding =
      found.holder === undefined || workers.isExpelled(found.holder)
        ? { state: 'FREE', releasedVersion: found.holder === undefined ? found.releasedVersion : 0 }
        : { state: 'INHERITED', instance: found.holder, epoch: found.epoch }
    for (const worker of workers.all()) {
      const report = worker.reports.get(key)
      if (report !== undefined)
        lane.holding = afterWord(lane.holding, worker.instance, wordOf(report), lane.highestEpoch, nextVersion)
      else if (hasToldAll(worker))
        lane.holding = afterSilenceAbout(lane.holding, worker.instance, worker.appliedVersion, nextVersion)
    }
  }

  /** Works in what a worker says; answers the lanes that it may forget. */
  hear(beat: Heartbeat, nowMs: number, nextVersion: number): Release[] {
    const acknowledged: Release[] = []
    const mentioned = new Set<string>()
    // A lane that was let go and is held again counts as held.
    for (const report of [...beat.lanes.filter((each) => !isHeld(each)), ...beat.lanes.filter(isHeld)]) {
      mentioned.add(report.key)
      const lane = this.#lanes.get(report.key)
      if (lane !== undefined && hearOne(lane, beat.instance, report, nowMs, nextVersion)) this.#changes++
      // What is said of a lane that is not read yet must be said again.
      if (!isHeld(report) && lane?.holding.state !== 'UNKNOWN') acknowledged.push({ id: report.id, epoch: report.epoch })
    }
    if (beat.complete) {
      for (const lane of this.#lanes.values()) {
        if (!mentioned.has(lane.key))
          this.#set(lane, afterSilenceAbout(lane.holding, beat.instance, beat.assignmentVersion, nextVersion))
      }
    }
    return acknowledged
  }

  expel(instance: string): void {
    for (const lane of this.#lanes.values()) this.#set(lane, afterExpel(lane.holding, instance))
  }

  /** Everybody who may be sending. */
  holders(): Set<string> {
    const holders = new Set<string>()
    for (const lane of this.#lanes.values()) {
      const holder = holderOf(lane.holding)
      if (holder !== undefined) holders.add(holder)
    }
    return holders
  }

  #set(lane: LaneRecord, holding: Holding): void {
    if (lane.holding === holding) return
    lane.holding = holding
    this.#changes++
  }
}

const hasToldAll = (worker: Worker): boolean => worker.isComplete && !worker.hasGap

const wordOf = (report: LaneReport): Word =>
  report.state === 'RELEASED'
    ? { says: 'RELEASED', epoch: report.epoch, releasedVersion: report.releasedVersion }
    : { says: report.state === 'LOST' ? 'LOST' : 'HOLDS', epoch: report.epoch }

/** Answers whether it changes who holds the lane. */
function hearOne(lane: LaneRecord, instance: string, report: LaneReport, nowMs: number, nextVersion: number): boolean {
  const before = lane.holding
  lane.holding = afterWord(before, instance, wordOf(report), lane.highestEpoch, nextVersion)
  lane.highestEpoch = Math.max(lane.highestEpoch, report.epoch, report.seenEpoch)
  if (report.state === 'RUNNING' && before.state === 'GIVEN' && before.epoch === report.epoch) lane.losses = 0
  if (report.state === 'LOST' && before !== lane.holding) {
    // The first loss is mended at once; one that repeats has a cause that haste does not cure.
    const pauseMs = lane.losses === 0 ? 0 : Math.min(lossPauseMs * 2 ** (lane.losses - 1), lossPauseMsMax)
    lane.losses++
    lane.notBeforeMs = nowMs + pauseMs
  }
  return before !== lane.holding
}
