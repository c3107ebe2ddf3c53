import { create } from '@bufbuild/protobuf'
import { type LaneId as LaneIdMessage, LaneState as State } from '../proto/gen/ferry/v1/lane_pb.ts'
import {
  type LaneAssignment,
  type LaneRelease,
  type LaneReport,
  LaneReportSchema,
} from '../proto/gen/ferry/v1/worker_service_pb.ts'
import { type LaneId, laneKey } from '../runtime/lane-keys.ts'
import type { Logger } from '../runtime/log.ts'
import { groupPosition } from './lane/checkpoint-draft.ts'
import { Keeper, type KeeperParts } from './lane/keeper.ts'
import type { LaneLimits } from './lane/lane.ts'
import { Roster } from './lane/roster.ts'
import type { Routes } from './routes.ts'
import type { Holdings } from './session/session.ts'

export interface HeldLanesOptions {
  /** Bytes of fetched values that may wait in memory, over all lanes. */
  readonly bufferBytesMax: number
}

const LANE_BUFFER_BYTES_MIN = 1 << 20
const LANE_BUFFER_BYTES_MAX = 16 << 20

const toLaneId = ({ uid, cluster, topic, partition }: LaneIdMessage): LaneId => ({ uid, cluster, topic, partition })

/** Everything this worker holds: a keeper for each lane, a roster for each use case. */
export class HeldLanes implements Holdings {
  /** By lane and epoch, so that a lane that was let go and its successor can be told apart. */
  readonly #keepers = new Map<string, Keeper>()
  readonly #rosters = new Map<string, Roster>()
  readonly #routes: Routes
  readonly #parts: Omit<KeeperParts, 'changed' | 'abort'>
  readonly #options: HeldLanesOptions
  readonly #log: Logger
  readonly #onLanded: (outcome: number) => void
  readonly #hurry: () => void
  #assignments = new Map<string, LaneAssignment>()
  #maySend = false

  constructor(
    routes: Routes,
    parts: Omit<KeeperParts, 'changed' | 'abort'>,
    options: HeldLanesOptions,
    log: Logger,
    onLanded: (outcome: number) => void,
    hurry: () => void,
  ) {
    this.#routes = routes
    this.#parts = parts
    this.#options = options
    this.#log = log
    this.#onLanded = onLanded
    this.#hurry = hurry
  }

  get keepers(): readonly Keeper[] {
    return [...this.#keepers.values()]
  }

  get rosters(): readonly Roster[] {
    return [...this.#rosters.values()]
  }

  rosterOf(keeper: Keeper): Roster | undefined {
    return this.#rosters.get(keeper.id.uid)
  }

  report(): LaneReport[] {
    return this.keepers.map((keeper) => {
      const { lane } = keeper
      const running = keeper.state === State.RUNNING
      return create(LaneReportSchema, {
        ...{ id: keeper.id, epoch: BigInt(keeper.epoch), state: keeper.state, message: keeper.message },
        condition: (running && this.rosterOf(keeper)?.conditionOf(keeper)) || keeper.condition,
        cursor: BigInt(lane?.window.tracker.cursor ?? 0),
        floor: BigInt(lane === undefined ? 0 : groupPosition(lane).floor),
        endOffset: BigInt(lane?.endOffset ?? -1),
        parked: BigInt(lane?.parking.size ?? 0),
        ...{ releasedVersion: BigInt(keeper.releasedVersion), seenEpoch: BigInt(keeper.seenEpoch) },
        revision: BigInt(lane?.route.plan.revision ?? 0),
      })
    })
  }

  assign(assignments: readonly LaneAssignment[]): void {
    this.#assignments = new Map(assignments.map((each) => [`${laneKey(toLaneId(each.id!))}@${each.epoch}`, each]))
    for (const [key, keeper] of this.#keepers) if (!this.#assignments.has(key)) keeper.drain()
    void this.#reconcile()
  }

  /** Starts what should run and does not, by the revision that is asked for. */
  async #reconcile(): Promise<void> {
    const assignments = this.#assignments
    await this.#routes.fetch([...assignments.values()].map((each) => ({ uid: each.id!.uid, revision: Number(each.revision) })))
    if (assignments !== this.#assignments) return
    for (const [key, assignment] of assignments) {
      const route = this.#routes.get(assignment.id!.uid)
      if (route === undefined) continue
      const roster =
        this.#rosters.get(route.plan.uid) ?? new Roster(route, this.#parts.attempts, () => this.#maySend, this.#onLanded)
      this.#rosters.set(route.plan.uid, roster)
      roster.route = route
      roster.maxInFlight = Math.max(1, assignment.maxInFlight)
      const limits = this.#limitsOf(assignment)
      const keeper = this.#keepers.get(key)
      if (keeper !== undefined) keeper.reroute(route, limits)
      else this.#start(key, assignment, limits, roster)
    }
  }

  #start(key: string, assignment: LaneAssignment, limits: LaneLimits, roster: Roster): void {
    const keeper = new Keeper(toLaneId(assignment.id!), Number(assignment.epoch), roster.route, limits, {
      ...this.#parts,
      changed: (changed) => {
        roster.pump()
        if (!changed.held) this.#hurry()
      },
      abort: (lost) => {
        roster.abort(lost)
        this.#hurry()
      },
    })
    this.#keepers.set(key, keeper)
    roster.add(keeper)
    this.#log.info({ lane: keeper.key, epoch: keeper.epoch }, 'lane: starting')
    void keeper.start(Number(assignment.releasedVersion))
  }

  #limitsOf(assignment: LaneAssignment): LaneLimits {
    const share = this.#options.bufferBytesMax / Math.max(1, this.#assignments.size)
    return {
      parkedMax: Number(assignment.parkedMax),
      parkedBytesMax: Number(assignment.parkedBytesMax),
      creditMax: assignment.creditMax,
      bufferBytesMax: Math.min(LANE_BUFFER_BYTES_MAX, Math.max(LANE_BUFFER_BYTES_MIN, share)),
    }
  }

  acknowledge(releases: readonly LaneRelease[]): void {
    for (const { id, epoch } of releases) {
      const key = `${laneKey(toLaneId(id!))}@${epoch}`
      const keeper = this.#keepers.get(key)
      if (keeper === undefined || keeper.held) continue
      this.#keepers.delete(key)
      const roster = this.rosterOf(keeper)
      roster?.remove(keeper)
      if (roster?.keepers.length === 0) {
        roster.close()
        this.#rosters.delete(keeper.id.uid)
      }
    }
  }

  lookAtInboxes(lanes: readonly LaneIdMessage[]): void {
    const keys = new Set(lanes.map((each) => laneKey(toLaneId(each))))
    for (const keeper of this.keepers)
      if (keeper.state === State.RUNNING && keys.has(keeper.key)) keeper.laneState.inboxCount ||= 1
  }

  get maySend(): boolean {
    return this.#maySend
  }

  suspend(): void {
    this.#maySend = false
    for (const roster of this.rosters) roster.abort()
  }

  resume(): void {
    this.#maySend = true
    for (const roster of this.rosters) roster.pump()
  }

  loseAll(reason: string): void {
    for (const keeper of this.keepers) keeper.lose(reason, 0)
    // Nobody will acknowledge an expelled instance's lanes.
    for (const [key, keeper] of this.#keepers) {
      this.#keepers.delete(key)
      this.rosterOf(keeper)?.remove(keeper)
    }
    this.#assignments = new Map()
  }

  drainAll(): void {
    for (const keeper of this.keepers) keeper.drain()
  }
}
