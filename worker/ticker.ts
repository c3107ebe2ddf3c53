import { LaneState as State } from '../proto/gen/ferry/v1/lane_pb.ts'
import type { ClickHouseClient } from '../runtime/clickhouse.ts'
import type { Cluster } from '../runtime/kafka.ts'
import type { Logger } from '../runtime/log.ts'
import { commitFloors } from './group-commits.ts'
import type { HeldLanes } from './holdings.ts'
import { takeInbox } from './lane/inbox-desk.ts'
import type { Keeper } from './lane/keeper.ts'
import type { Parked } from './lane/parking.ts'
import { RetryDesk } from './lane/retry-desk.ts'
import type { AttemptLog } from './record/attempt-log.ts'
import type { RangeLog } from './record/range-log.ts'
import type { Session } from './session/session.ts'

export interface TickerParts {
  readonly held: HeldLanes
  readonly session: Session
  readonly attempts: AttemptLog<Parked>
  readonly ranges: RangeLog<Parked>
  readonly clickhouse: ClickHouseClient
  readonly cluster: Cluster
  readonly log: Logger
}

export interface TickerOptions {
  readonly checkpointMs: number
  readonly groupCommitMs: number
  readonly logFlushMs: number
  readonly drainTimeoutMs: number
  readonly insertTimeoutMs: number
}

const TICK_MS = 20
const SWEEP_MS = 100
/** Much that Redis does not have: a checkpoint does not wait for its time. */
const EARLY_BYTES = 256 * 1024
/** Without a control plane, nobody acknowledges what a draining worker has released. */
const UNHEARD_MS = 3000

interface Chores {
  readonly desk: RetryDesk
  checkpointAt: number
  inbox: Promise<void> | undefined
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
  #commitAt = 0
  #committing = false
  #pumping = false

  constructor(parts: TickerParts, options: TickerOptions) {
    this.#parts = parts
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Rows have become durable: what waited for room in the log may go. */
  acknowledged(): void {
    if (this.#pumping) return
    this.#pumping = true
    setImmediate(() => {
      this.#pumping = false
      for (const roster of this.#parts.held.rosters) roster.pump()
      for (const keeper of this.#parts.held.keepers) if (keeper.state === State.DRAINING) void keeper.checkpoint()
    })
  }

  #tick(): void {
    const { held, session, attempts, ranges } = this.#parts
    const now = performance.now()
    session.check()
    if (now >= this.#sweepAt) {
      this.#sweepAt = now + SWEEP_MS
      for (const roster of held.rosters) roster.sweep(now)
    }
    if (now >= this.#flushAt || held.keepers.some((keeper) => keeper.state === State.DRAINING)) {
      this.#flushAt = now + this.#options.logFlushMs
      attempts.flush()
      ranges.flush()
    }
    for (const keeper of held.keepers) this.#tend(keeper, now)
    if (now >= this.#commitAt && !this.#committing) this.#commit(now)
    if (held.maySend) for (const roster of held.rosters) roster.pump()
  }

  #tend(keeper: Keeper, now: number): void {
    const { lane } = keeper
    if (lane === undefined || (keeper.state !== State.RUNNING && keeper.state !== State.DRAINING)) return
    const chores = this.#choresOf(keeper, now)
    const draining = keeper.state === State.DRAINING
    if (draining) {
      chores.drainingSince ||= now
      if (now - chores.drainingSince > this.#options.drainTimeoutMs) this.#parts.held.rosterOf(keeper)?.abort(keeper)
    }
    if (now >= chores.checkpointAt || draining || lane.parking.unstoredBytes > EARLY_BYTES || keeper.taken.length > 0) {
      chores.checkpointAt = now + this.#options.checkpointMs
      void keeper.checkpoint().then(() => (keeper.state === State.RELEASED ? this.#commitOne(keeper) : undefined))
    }
    if (draining || !this.#parts.held.maySend) return
    if (lane.parking.nextDueMs() <= Date.now() + SWEEP_MS) {
      void chores.desk.prepare(Date.now()).then((ready) => (ready ? this.#parts.held.rosterOf(keeper)?.pump() : undefined))
    }
    if (keeper.laneState.inboxCount > 0 && keeper.taken.length === 0) chores.inbox ??= this.#takeInbox(keeper, chores)
  }

  #choresOf(keeper: Keeper, now: number): Chores {
    const known = this.#chores.get(keeper)
    if (known !== undefined) return known
    const desk = new RetryDesk(keeper.lane!, keeper.laneState, { ...this.#parts, queryTimeoutMs: this.#options.insertTimeoutMs })
    // Lanes that start together write at different times.
    const chores = { desk, checkpointAt: now + Math.random() * this.#options.checkpointMs, inbox: undefined, drainingSince: 0 }
    this.#chores.set(keeper, chores)
    return chores
  }

  async #takeInbox(keeper: Keeper, chores: Chores): Promise<void> {
    try {
      const taken = await takeInbox(
        keeper.lane!,
        keeper.laneState,
        this.#parts.clickhouse,
        this.#options.insertTimeoutMs,
        Date.now(),
      )
      keeper.taken.push(...taken)
      if (taken.length === 0) await new Promise((resolve) => setTimeout(resolve, this.#options.checkpointMs))
      // The next checkpoint takes them out and says what is left.
      else keeper.laneState.inboxCount = 0
    } catch (error) {
      this.#parts.log.warn({ lane: keeper.key, error: String(error) }, 'lane: cannot take its inbox in, trying again')
      await new Promise((resolve) => setTimeout(resolve, this.#options.checkpointMs))
    } finally {
      chores.inbox = undefined
    }
  }

  #commit(now: number): void {
    this.#committing = true
    this.#commitAt = now + this.#options.groupCommitMs
    const running = this.#parts.held.keepers.filter((keeper) => keeper.state === State.RUNNING)
    void commitFloors(this.#parts.cluster, running, this.#parts.log).finally(() => {
      this.#committing = false
    })
  }

  #commitOne(keeper: Keeper): void {
    void commitFloors(this.#parts.cluster, [keeper], this.#parts.log)
  }

  /** Lets every lane go; resolves when the control plane has heard of it, or cannot be reached. */
  async drain(): Promise<void> {
    const { held, session } = this.#parts
    session.leave()
    held.drainAll()
    while (held.keepers.some((keeper) => keeper.held) || (held.keepers.length > 0 && session.silentMs < UNHEARD_MS)) {
      session.hurry()
      await new Promise((resolve) => setTimeout(resolve, TICK_MS * 2))
    }
    await this.#parts.attempts.drained()
    await this.#parts.ranges.drained()
  }
}
