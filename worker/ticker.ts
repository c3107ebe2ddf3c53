import { LaneState as State } from '../proto/gen/ferry/v1/lane_pb.ts'
import type { ClickHouseClient } from '../runtime/clickhouse.ts'
import type { Logger } from '../runtime/log.ts'
import type { Clusters, WorkerCluster } from './clusters.ts'
import type { HeldLanes } from './holdings.ts'
import { DeadLetterDesk } from './lane/dead-letter-desk.ts'
import { takeInbox } from './lane/inbox-desk.ts'
import type { Keeper } from './lane/keeper.ts'
import type { Parked } from './lane/parked.ts'
import { recordSources } from './lane/record-sources.ts'
import { RetryDesk } from './lane/retry-desk.ts'
import type { AttemptLog } from './record/attempt-log.ts'
import type { InsertQueue } from './record/insert-queue.ts'
import type { RangeLog } from './record/range-log.ts'
import type { Session } from './session/session.ts'
import type { SpoolView } from './spool/spool-view.ts'

export interface TickerParts {
  readonly held: HeldLanes
  readonly session: Session
  readonly attempts: AttemptLog<Parked>
  readonly ranges: RangeLog<Parked>
  readonly queue: Pick<InsertQueue, 'look'>
  readonly spool: Pick<SpoolView, 'isDrained'>
  readonly clickhouse: ClickHouseClient
  readonly clusters: Pick<Clusters, 'all' | 'of'>
  readonly log: Logger
}

export interface TickerOptions {
  readonly checkpointMs: number
  readonly logFlushMs: number
  readonly drainTimeoutMs: number
  readonly insertTimeoutMs: number
}

const TICK_MS = 20
const SWEEP_MS = 100

interface Chores {
  readonly desk: RetryDesk
  readonly letters: DeadLetterDesk
  checkpointAt: number
  inboxAt: number
  isTakingInbox: boolean
  drainingSince: number
}

/** Everything that happens by the clock: one timer for the whole worker. */
export class Ticker {
  readonly #parts: TickerParts
  readonly #options: TickerOptions
  readonly #chores = new WeakMap<Keeper, Chores>()
  #timer: NodeJS.Timeout | undefined
  #sweepAt = 0
  #flushAt = 0
  #pumping = false

  constructor(parts: TickerParts, options: TickerOptions) {
    this.#parts = parts
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  /** Resolves when the last group commits have been answered. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#parts.clusters.all.map(({ commits }) => commits.idle()))
  }

  /** Rows have become durable: what waited for room in the log may go. */
  acknowledged(): void {
    if (this.#pumping) return
    this.#pumping = true
    setImmediate(() => {
      this.#pumping = false
      for (const roster of this.#parts.held.rosters) roster.pump()
      for (const keeper of this.#parts.held.keepers) if (keeper.state === State.DRAINING) this.#checkpoint(keeper)
    })
  }

  #tick(): void {
    const { held, session, attempts, ranges, queue } = this.#parts
    const now = performance.now()
    session.check()
    const { keepers, rosters } = held
    if (now >= this.#sweepAt) {
      this.#sweepAt = now + SWEEP_MS
      for (const roster of rosters) roster.sweep(now)
    }
    if (now >= this.#flushAt || keepers.some((keeper) => keeper.state === State.DRAINING)) {
      this.#flushAt = now + this.#options.logFlushMs
      attempts.flush()
      ranges.flush()
      queue.look()
    }
    const maySend = session.maySend(now, Date.now())
    for (const keeper of keepers) this.#tend(keeper, now, maySend)
    for (const { client, commits } of this.#parts.clusters.all)
      if (commits.isDue(now))
        commits.add(keepers.filter(({ state, id }) => state === State.RUNNING && id.cluster === client.name))
    if (maySend) for (const roster of rosters) roster.pump()
  }

  #tend(keeper: Keeper, now: number, maySend: boolean): void {
    const { lane } = keeper
    if (lane === undefined || (keeper.state !== State.RUNNING && keeper.state !== State.DRAINING)) return
    const chores = this.#choresOf(keeper, now)
    const isDraining = keeper.state === State.DRAINING
    if (isDraining) {
      chores.drainingSince ||= now
      if (now - chores.drainingSince > this.#options.drainTimeoutMs) this.#parts.held.rosterOf(keeper)?.abort(keeper)
    }
    if (now >= chores.checkpointAt || isDraining || keeper.isUrgent) {
      chores.checkpointAt = now + this.#options.checkpointMs
      this.#checkpoint(keeper)
    }
    if (isDraining || !maySend) return
    const nowMs = Date.now()
    lane.ordersSeen ||= keeper.laneState.inboxCount === 0
    if (lane.ordersSeen && lane.parking.nextDueMs() <= nowMs)
      void chores.desk.prepare(nowMs).then((isReady) => (isReady ? this.#parts.held.rosterOf(keeper)?.pump() : undefined))
    if (chores.letters.isDue(now)) void chores.letters.work(nowMs)
    const hasInbox = keeper.laneState.inboxCount > 0 && keeper.checkpointer.taken.length === 0
    if (hasInbox && now >= chores.inboxAt && !chores.isTakingInbox) void this.#takeInbox(keeper, chores)
  }

  #checkpoint(keeper: Keeper): void {
    void keeper
      .checkpoint()
      .then(() => (keeper.state === State.RELEASED ? this.#clusterOf(keeper).commits.add([keeper]) : undefined))
  }

  #choresOf(keeper: Keeper, now: number): Chores {
    const known = this.#chores.get(keeper)
    if (known !== undefined) return known
    const { clickhouse, log } = this.#parts
    const { checkpointMs, insertTimeoutMs } = this.#options
    const sources = recordSources(keeper, this.#clusterOf(keeper).side.cluster, clickhouse, insertTimeoutMs)
    const desk = new RetryDesk(keeper.lane!, sources, log)
    const { letters: producer } = this.#clusterOf(keeper)
    const letters = new DeadLetterDesk(keeper.lane!, sources, (topic, messages) => producer.send(topic, messages), log)
    // Lanes that start together write at different times.
    const checkpointAt = now + Math.random() * checkpointMs
    const chores = { desk, letters, checkpointAt, inboxAt: 0, isTakingInbox: false, drainingSince: 0 }
    this.#chores.set(keeper, chores)
    return chores
  }

  async #takeInbox(keeper: Keeper, chores: Chores): Promise<void> {
    const { checkpointMs, insertTimeoutMs } = this.#options
    const { clickhouse, spool } = this.#parts
    chores.isTakingInbox = true
    try {
      const taken = await takeInbox(keeper.lane!, keeper.laneState, clickhouse, spool, insertTimeoutMs, Date.now())
      keeper.checkpointer.taken.push(...taken)
      // The next checkpoint takes them out, and says what is left; what must wait is looked at again a little later.
      if (taken.length > 0) keeper.laneState.inboxCount = 0
      else chores.inboxAt = performance.now() + checkpointMs
    } catch (error) {
      this.#parts.log.warn({ lane: keeper.key, error: String(error) }, 'lane: cannot take its inbox in, trying again')
      chores.inboxAt = performance.now() + checkpointMs
    } finally {
      chores.isTakingInbox = false
    }
  }

  /** Its lane has begun, so its cluster is one of this worker's. */
  #clusterOf({ id }: Keeper): WorkerCluster {
    return this.#parts.clusters.of(id.cluster)!
  }
}
