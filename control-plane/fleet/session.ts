import { setTimeout as sleep } from 'node:timers/promises'
import { type LaneId, laneKey } from '../../runtime/lane-keys.ts'
import { Deletions } from './deletions.ts'
import { readLease } from './expel.ts'
import { Expels } from './expels.ts'
import { FleetCore } from './fleet-core.ts'
import { asFleetError, FleetError } from './fleet-error.ts'
import { possibleHolder, type StoredGrant } from './found-lane.ts'
import { readLaneKey } from './grants.ts'
import { type Heartbeat, type HeartbeatReply, isHeld } from './heartbeat.ts'
import type { FoundLane } from './inventory.ts'
import { firstVersion, type LaneHead } from './lane-store.ts'
import { pauseAndResume } from './pauses.ts'
import type { Grant } from './plan.ts'
import type { SessionParts } from './session-parts.ts'
import { Surveys } from './surveys.ts'
import { UseCaseViews, type ViewedUseCase } from './use-case-view.ts'

/** Lists of one leader have versions above those of all before: its term is at least the clock, in ms. */
const versionsPerMs = 1000

/** After a step so many times its length belongs to others, heartbeats among them. */
const restFactor = 3

/** A first start, and an empty Redis, take a moment: only what lasts longer is said. */
const quietFailures = 5

/**
 * One leadership, from election to its end. It begins with nothing in memory, takes stock, and from then on answers heartbeats and
 * takes a step about twice a second, and at once when something happens.
 */
export class Session {
  readonly term: number
  readonly core: FleetCore
  readonly views: UseCaseViews
  readonly surveys: Surveys
  readonly #parts: SessionParts
  readonly #isLeading: () => boolean
  readonly #deposed: () => void
  readonly #expels: Expels
  readonly #deletions: Deletions
  readonly #startedMs: number
  #inherited: ReadonlyMap<string, StoredGrant> = new Map()
  #unwritten: Grant[] = []
  #writing: Promise<void> | undefined
  #useCasesReadMs = Number.NEGATIVE_INFINITY
  #isReady = false
  #problem = 'it has just been elected'
  #failures = 0
  /** The next step that a heartbeat calls for comes no sooner. */
  #restsUntilMs = 0
  #deciding: NodeJS.Timeout | undefined
  #wake: () => void = () => {}
  #isAwake = false

  constructor(term: number, parts: SessionParts, isLeading: () => boolean, deposed: () => void) {
    this.term = term
    this.#parts = parts
    this.#isLeading = isLeading
    this.#deposed = deposed
    const { timings, redis, log, monotonicMs } = parts
    this.#startedMs = monotonicMs()
    this.core = new FleetCore(timings, term * versionsPerMs)
    this.views = new UseCaseViews(timings.vanishedGraceMs)
    const mustLead = (): void => {
      if (!isLeading()) throw new FleetError('NO_LEADER', 'another replica leads')
    }
    this.#expels = new Expels({
      ...{ redis, log, monotonicMs, expelledForMs: timings.expelledForMs },
      onExpelled: (instance) => {
        this.core.expelled(instance, monotonicMs())
        parts.tally.expelledWorkers++
        this.wake()
      },
    })
    this.surveys = new Surveys({
      ...{ ...parts, mustLead, intervalMs: timings.partitionsIntervalMs },
      known: (uid) => new Set(this.#lanesOf(uid).map(laneKey)),
      onFound: (_useCase, lanes) => this.#admit(lanes),
    })
    this.#deletions = new Deletions({ ...parts, mustLead, finish: (useCase, lanes) => this.#finishDelete(useCase, lanes) })
  }

  /** Why heartbeats cannot be answered yet; undefined when they can. */
  get problem(): string | undefined {
    return this.#isReady ? undefined : `the leader takes stock: ${this.#problem}`
  }

  /** Until this replica no longer leads. */
  async run(): Promise<void> {
    while (this.#isLeading()) {
      try {
        if (this.#isReady) await this.#step()
        else await this.#takeStock()
        if (this.#failures > quietFailures) this.#parts.log.info({ failures: this.#failures }, 'fleet: the leader works again')
        this.#failures = 0
      } catch (error) {
        this.#problem = error instanceof Error ? error.message : String(error)
        if (this.#failures++ === quietFailures) {
          this.#parts.log.warn({ error: this.#problem }, 'fleet: the leader cannot work, trying again')
        }
      }
      await this.#rest()
    }
    clearTimeout(this.#deciding)
    await Promise.all([this.#writing, this.surveys.idle(), this.#deletions.idle()])
  }

  /** Takes the next step now. */
  wake(): void {
    this.#isAwake = true
    this.#wake()
  }

  /** Definitions have changed: look at them now. */
  lookAtUseCases(): void {
    this.#useCasesReadMs = Number.NEGATIVE_INFINITY
    this.wake()
  }

  async hear(beat: Heartbeat): Promise<HeartbeatReply> {
    if (this.problem !== undefined) throw new FleetError('NO_LEADER', `${this.problem}. Go on, and call again in a second`)
    const { monotonicMs, wallMs } = this.#parts
    if (this.core.workers.get(beat.instance) === undefined) await this.#admitWorker(beat.instance)
    if (!this.#isLeading()) throw new FleetError('NO_LEADER', 'this replica no longer leads: call again')
    if (this.core.workers.isExpelled(beat.instance)) {
      throw new FleetError(
        'WORKER_EXPELLED',
        `${beat.instance} was silent for so long that its lanes are others': start as a new instance`,
      )
    }
    this.#addStrangers(beat)
    const heard = this.core.hear(beat, monotonicMs(), wallMs())
    if (heard?.calls) this.#decideSoon()
    return this.core.reply(heard === undefined ? '' : beat.instance, beat.assignmentVersion, heard?.acknowledged ?? [])
  }

  /** Whoever has no lease in Redis could do nothing for a lane, and may be no worker at all. */
  async #admitWorker(instance: string): Promise<void> {
    const { redis, monotonicMs } = this.#parts
    const lease = await asFleetError('STATE_UNAVAILABLE', 'Redis does not answer', readLease(redis, instance))
    if (lease === 'EXPELLED') this.core.expelled(instance, monotonicMs())
    if (lease === 'NONE') {
      throw new FleetError('WORKER_WITHOUT_LEASE', `${instance} has no lease in Redis: take one, and call again`)
    }
    if (lease === 'ALIVE' && this.core.workers.get(instance) === undefined && this.core.isFull) {
      const message = `there are ${this.core.workers.size} workers, as many as may be: stop one, or raise FERRY_WORKERS_MAX`
      throw new FleetError('LIMIT_EXCEEDED', message)
    }
  }

  /** Lanes that are held belong to the inventory also while Kafka does not answer. */
  #addStrangers(beat: Heartbeat): void {
    for (const { id, key } of beat.lanes.filter(isHeld)) {
      const useCase = this.views.all.get(id.uid)
      if (useCase?.cluster !== id.cluster || useCase.topic !== id.topic || this.core.table.get(key) !== undefined) continue
      this.core.table.add(key, id)
      this.wake()
    }
  }

  /** Who may hold what, by what the leaders before have left. Nobody is answered until this is known. */
  async #takeStock(): Promise<void> {
    await this.#readUseCases()
    this.#inherited = await this.#parts.grants.readAll()
    for (const key of this.#inherited.keys()) {
      const id = readLaneKey(key)
      if (id !== undefined && this.views.all.has(id.uid)) this.core.table.add(key, id)
    }
    await this.#readUnread()
    this.#isReady = true
    await this.#step()
  }

  async #step(): Promise<void> {
    const { timings, monotonicMs, useCases, log } = this.#parts
    if (monotonicMs() - this.#useCasesReadMs >= timings.useCasesIntervalMs) {
      await this.#readUseCases()
      await pauseAndResume(this.core.workers.all(), useCases, log)
    }
    await this.#readUnread()
    this.surveys.start(this.views.all)
    this.#expels.tryAll(this.core.suspects(monotonicMs()))
    this.#decide()
    this.#delete()
  }

  async #readUseCases(): Promise<void> {
    const { useCases, monotonicMs, log } = this.#parts
    const startedMs = monotonicMs()
    const vanished = this.views.update(await useCases.all(), startedMs)
    if (vanished.length > 0)
      log.error({ useCases: vanished }, 'fleet: definitions are gone from Redis; their lanes go on for a while')
    this.#useCasesReadMs = startedMs
    this.core.setUseCases(this.views.all)
    for (const lane of this.core.table.all()) {
      if (lane.holding.state === 'FREE' && !this.views.all.has(lane.id.uid)) this.core.table.remove(lane.key)
    }
  }

  async #readUnread(): Promise<void> {
    const unread = [...this.core.table.all()].filter((lane) => lane.holding.state === 'UNKNOWN').map((lane) => lane.id)
    if (unread.length === 0) return
    const heads = await this.#parts.store.readHeads(unread)
    for (const [index, id] of unread.entries()) this.#resolve(laneKey(id), heads[index], false)
  }

  #admit(lanes: readonly FoundLane[]): void {
    for (const { id, key, head, isFirst } of lanes) {
      this.core.table.add(key, id)
      this.#resolve(key, head, isFirst)
    }
    this.wake()
  }

  #resolve(key: string, head: LaneHead | undefined, isFirst: boolean): void {
    // A lane that Redis has lost may be held by somebody whose heartbeat has not come yet.
    const notBeforeMs = head === undefined && !isFirst ? this.#startedMs + this.#parts.timings.heartbeatTimeoutMs : 0
    const holder = possibleHolder(head, this.#inherited.get(key))
    this.core.resolve(key, { ...holder, releasedVersion: isFirst ? firstVersion : 0, notBeforeMs })
  }

  /** At once, as long as that leaves most of the time to others: with thousands of lanes a step takes tens of milliseconds. */
  #decideSoon(): void {
    const restMs = this.#restsUntilMs - this.#parts.monotonicMs()
    if (restMs <= 0) this.#decide()
    else if (this.#deciding === undefined) {
      this.#deciding = setTimeout(() => {
        this.#deciding = undefined
        if (this.#isLeading()) this.#decide()
      }, restMs)
    }
  }

  #decide(): void {
    const { monotonicMs, wallMs } = this.#parts
    const startedMs = monotonicMs()
    this.#unwritten.push(...this.core.step(startedMs, wallMs()))
    const endedMs = monotonicMs()
    this.#restsUntilMs = endedMs + restFactor * (endedMs - startedMs)
    if (this.#unwritten.length === 0 || this.#writing !== undefined) return
    this.#writing = this.#writeGrants().finally(() => {
      this.#writing = undefined
    })
  }

  async #writeGrants(): Promise<void> {
    while (this.#unwritten.length > 0) {
      const grants = this.#unwritten
      this.#unwritten = []
      try {
        if (!(await this.#parts.grants.write(this.term, grants))) {
          this.#deposed()
          return
        }
        this.core.granted(grants)
        this.#parts.tally.grantedLanes += grants.length
      } catch (error) {
        this.core.dropped(grants)
        this.#parts.log.warn({ lanes: grants.length, error: String(error) }, 'fleet: assignments could not be written down')
        return
      }
    }
  }

  #delete(): void {
    for (const useCase of this.views.all.values()) {
      if (useCase.state !== 'DELETING' || !this.surveys.isComplete(useCase.uid)) continue
      const lanes = this.#lanesOf(useCase.uid)
      if (lanes.every((id) => this.core.table.get(laneKey(id))!.holding.state === 'FREE')) this.#deletions.start(useCase, lanes)
    }
  }

  async #finishDelete(useCase: ViewedUseCase, lanes: readonly LaneId[]): Promise<void> {
    const { grants, useCases } = this.#parts
    const keys = lanes.map(laneKey)
    if (!(await grants.remove(this.term, keys))) throw new FleetError('NO_LEADER', 'another term has begun')
    await useCases.finishDelete(useCase.uid)
    this.views.finished(useCase.uid)
    this.core.setUseCases(this.views.all)
    for (const key of keys) this.core.table.remove(key)
  }

  #lanesOf(uid: string): LaneId[] {
    return this.core.table.ofUseCase(uid).map((lane) => lane.id)
  }

  async #rest(): Promise<void> {
    if (this.#isAwake) {
      this.#isAwake = false
      return
    }
    const waking = new AbortController()
    this.#wake = () => waking.abort()
    await sleep(this.#parts.timings.stepIntervalMs, undefined, { signal: waking.signal }).catch(() => {})
    this.#wake = () => {}
    this.#isAwake = false
  }
}
