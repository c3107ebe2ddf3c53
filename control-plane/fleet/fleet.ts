import type { LaneId } from '../../runtime/lane-keys.ts'
import { laneKey } from '../../runtime/lane-keys.ts'
import { FleetError } from './fleet-error.ts'
import { FleetTally } from './fleet-tally.ts'
import type { Heartbeat, HeartbeatReply } from './heartbeat.ts'
import { pageOfLanes } from './lane-page.ts'
import type { LaneView } from './lane-view.ts'
import { viewLanes } from './lane-view.ts'
import { Leader, type LeaderOptions } from './leader.ts'
import type { Holding } from './reconcile.ts'
import { Session } from './session.ts'
import type { SessionParts } from './session-parts.ts'
import { askEndsOnce, fillFigures } from './stored-figures.ts'
import type { ViewedUseCase } from './use-case-view.ts'
import type { Worker } from './workers.ts'

export interface FleetOptions extends Omit<SessionParts, 'tally'>, Omit<LeaderOptions, 'onChange'> {
  /** The longest that a listing waits for Redis or Kafka. */
  readonly listTimeoutMs: number
}

export interface LanePage {
  readonly lanes: readonly LaneView[]
  /** Empty on the last page. */
  readonly nextPageToken: string
}

/** Of a page, whose figures are read from Redis and Kafka side by side. */
const useCasesAtOnce = 16

export interface FleetCounts {
  /** Lanes of active use cases that nobody holds. */
  readonly unheld: number
  readonly lanes: Readonly<Record<Holding['state'], number>>
  readonly workers: { readonly staying: number; readonly draining: number }
  /** Of the worker that is silent for longest; 0 without workers. */
  readonly oldestHeartbeatMs: number
  readonly useCases: Readonly<Record<ViewedUseCase['state'], number>>
  /** Use cases whose lanes cannot be looked for now. */
  readonly unsurveyed: number
}

/** Lanes and workers, as the leader sees them. On a replica that does not lead, only `leaderAddress` is of use. */
export class Fleet {
  readonly tally = new FleetTally()
  readonly #options: FleetOptions
  readonly #leader: Leader
  #session: Session | undefined
  #running: Promise<void> | undefined

  constructor(options: FleetOptions) {
    this.#options = options
    this.#leader = new Leader({ ...options, onChange: () => this.#follow() })
  }

  /** This replica's term while it leads. */
  lead(): { readonly term: number } | undefined {
    return this.#leader.lead()
  }

  /** Where another replica leads, as far as is known. */
  get leaderAddress(): string | undefined {
    return this.#leader.otherAddress
  }

  /** Why this replica cannot serve; none when it can. */
  problems(): string[] {
    const problem = this.lead() === undefined ? this.#leader.problem : this.#session?.problem
    return problem === undefined ? [] : [problem]
  }

  start(): void {
    this.#leader.start()
  }

  /** Lets another lead, and ends what is on its way. */
  async stop(): Promise<void> {
    await this.#leader.stop()
    this.#session?.wake()
    await this.#running
  }

  /** Throws FleetError. */
  heartbeat(beat: Heartbeat): Promise<HeartbeatReply> {
    return this.#led().hear(beat)
  }

  /** By instance. Throws FleetError. */
  workers(): { readonly worker: Worker; readonly lanes: number }[] {
    return this.#led()
      .core.workers.all()
      .map((worker) => ({ worker, lanes: worker.reports.size }))
  }

  /** Takes a worker out; its lanes move with the next steps. Throws FleetError. */
  drainWorker(instance: string): { readonly worker: Worker; readonly lanes: number } {
    const session = this.#led()
    const { workers } = session.core
    const worker = workers.get(instance)
    if (worker === undefined) throw new FleetError('WORKER_NOT_FOUND', `there is no worker ${instance}: see ListWorkers`)
    if (!workers.drain(worker, this.#options.monotonicMs()))
      throw new FleetError(
        'LAST_WORKER',
        `no other worker could take the lanes of ${instance}: start another one first, or stop this one's process with SIGTERM`,
      )
    session.wake()
    return { worker, lanes: worker.reports.size }
  }

  /** One page of lanes by use case and partition; of one use case when a name is given, else of all that `sees` lets through. Throws FleetError. */
  async lanes(
    useCaseName: string,
    pageSize: number,
    pageToken: string,
    sees: (name: string) => boolean = () => true,
  ): Promise<LanePage> {
    const session = this.#led()
    const { listTimeoutMs, monotonicMs } = this.#options
    const useCases = [...session.views.all.values()].filter(({ name }) =>
      useCaseName === '' ? sees(name) : name === useCaseName,
    )
    if (useCaseName !== '' && useCases.length === 0) {
      throw new FleetError('USE_CASE_NOT_FOUND', `there is no use case ${useCaseName}: see ListUseCases`)
    }
    const nowMs = monotonicMs()
    const { parts, nextPageToken } = pageOfLanes(useCases, (each) => viewLanes(session, each, nowMs), pageSize, pageToken)
    const figures = { ...this.#options, source: askEndsOnce(this.#options.source), timeoutMs: listTimeoutMs }
    const lanes: LaneView[] = []
    for (let at = 0; at < parts.length; at += useCasesAtOnce) {
      const filled = parts.slice(at, at + useCasesAtOnce).map((part) => fillFigures(part.useCase, part.lanes, figures))
      lanes.push(...(await Promise.all(filled)).flat())
    }
    return { lanes, nextPageToken }
  }

  /** How many there are of what; nothing on a replica that does not lead. */
  counts(): FleetCounts {
    let unheld = 0
    const lanes: Record<Holding['state'], number> = { UNKNOWN: 0, INHERITED: 0, FREE: 0, GRANTING: 0, GIVEN: 0, LEAVING: 0 }
    const workers = { staying: 0, draining: 0 }
    const session = this.lead() === undefined ? undefined : this.#session
    for (const { id, holding } of session?.core.table.all() ?? []) {
      lanes[holding.state]++
      if (holding.state === 'FREE' && session?.views.all.get(id.uid)?.state === 'ACTIVE') unheld++
    }
    let oldestHeartbeatMs = 0
    for (const worker of session?.core.workers.all() ?? []) {
      workers[worker.draining ? 'draining' : 'staying']++
      oldestHeartbeatMs = Math.max(oldestHeartbeatMs, this.#options.monotonicMs() - worker.heardMs)
    }
    const useCases = { ACTIVE: 0, PAUSED: 0, DELETING: 0 }
    let unsurveyed = 0
    for (const { uid, state } of session?.views.all.values() ?? []) {
      useCases[state]++
      if (session?.surveys.problemOf(uid) !== undefined) unsurveyed++
    }
    return { lanes, unheld, workers, oldestHeartbeatMs, useCases, unsurveyed }
  }

  /** A retry batch has put something into the lane's inbox: its worker will be told. Does nothing on a replica that does not lead. */
  markInbox(lane: LaneId): void {
    this.#session?.core.markInbox(laneKey(lane))
  }

  /** Definitions have changed: the leader looks at once, when it is here. */
  lookAtUseCases(): void {
    this.#session?.lookAtUseCases()
  }

  #led(): Session {
    if (this.lead() !== undefined && this.#session !== undefined) return this.#session
    throw new FleetError('NO_LEADER', 'no replica leads at this moment: go on, and call again in a second')
  }

  /** Each term has a session of its own, with nothing of the one before. */
  #follow(): void {
    const led = this.#leader.lead()
    if (this.#session?.term === led?.term) return
    this.#session?.wake()
    this.#session = undefined
    if (led === undefined) return
    const isLeading = (): boolean => this.#leader.lead()?.term === led.term
    const parts = { ...this.#options, tally: this.tally }
    const session = new Session(led.term, parts, isLeading, () => this.#leader.deposed())
    this.#session = session
    const before = this.#running
    this.#running = session.run().then(() => before)
  }
}
