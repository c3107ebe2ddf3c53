import { create } from '@bufbuild/protobuf'
import { LaneCondition, type LaneId as LaneIdMessage, LaneState as State } from '../proto/gen/ferry/v1/lane_pb.ts'
import {
  type LaneAssignment,
  type LaneRelease,
  type LaneReport,
  LaneReportSchema,
} from '../proto/gen/ferry/v1/worker_service_pb.ts'
import { defaultCluster } from '../runtime/kafka-settings.ts'
import { type LaneId, laneKey } from '../runtime/lane-keys.ts'
import type { Logger } from '../runtime/log.ts'
import type { Clusters } from './clusters.ts'
import { type EndpointShares, Endpoints } from './endpoints.ts'
import { floorOf } from './lane/floor.ts'
import { Keeper, type KeeperParts } from './lane/keeper.ts'
import type { LaneLimits } from './lane/lane-limits.ts'
import { Roster } from './lane/roster.ts'
import type { RosterParts } from './lane/roster-parts.ts'
import type { Routes, Wanted } from './routes.ts'
import type { Holdings } from './session/session.ts'

export interface HeldLanesOptions {
  /** Bytes of fetches that may be in memory, over all lanes. */
  readonly bufferBytesMax: number
}

export interface HeldLanesParts {
  readonly routes: Routes
  readonly keeper: Omit<KeeperParts, 'ready' | 'letGo' | 'source' | 'cluster'>
  readonly clusters: Pick<Clusters, 'of' | 'names'>
  readonly roster: RosterParts
  readonly log: Logger
  /** The control plane should hear of a change soon. */
  readonly hurry: () => void
}

const LANE_BUFFER_BYTES_MIN = 64 * 1024
const LANE_BUFFER_BYTES_MAX = 16 << 20
const RECONCILE_AGAIN_MS = 1000

const toLaneId = ({ uid, cluster, topic, partition }: LaneIdMessage): LaneId => ({ uid, cluster, topic, partition })
const keyOf = ({ id, epoch }: LaneAssignment | LaneRelease): string => `${laneKey(toLaneId(id!))}@${epoch}`
const wantedOf = ({ id, revision }: LaneAssignment): Wanted => ({ uid: id!.uid, revision: Number(revision) })

/** Everything this worker holds: a keeper for each lane, a roster for each use case. */
export class HeldLanes implements Holdings {
  /** By lane and epoch, so that a lane that was let go and its successor can be told apart. */
  readonly #keepers = new Map<string, Keeper>()
  readonly #rosters = new Map<string, Roster>()
  readonly #parts: HeldLanesParts
  readonly #options: HeldLanesOptions
  #assignments = new Map<string, LaneAssignment>()
  readonly #endpoints = new Endpoints()
  /** By use case. */
  #shares: EndpointShares = new Map()
  #suspended = true
  #leaving = false

  constructor(parts: HeldLanesParts, options: HeldLanesOptions) {
    this.#parts = parts
    this.#options = options
  }

  get keepers(): readonly Keeper[] {
    return [...this.#keepers.values()]
  }

  get rosters(): readonly Roster[] {
    return [...this.#rosters.values()]
  }

  rosterOf(keeper: Keeper): Roster | undefined {
    return this.rosterOfUseCase(keeper.id.uid)
  }

  rosterOfUseCase(uid: string): Roster | undefined {
    return this.#rosters.get(uid)
  }

  report(): LaneReport[] {
    return this.keepers.map((keeper) => {
      const { lane } = keeper
      return create(LaneReportSchema, {
        ...{ id: keeper.id, epoch: BigInt(keeper.epoch), state: keeper.state },
        ...this.troubleOf(keeper),
        cursor: BigInt(lane?.window.tracker.cursor ?? 0),
        floor: BigInt(lane === undefined ? 0 : floorOf(lane)),
        endOffset: BigInt(lane?.endOffset ?? -1),
        parked: BigInt(lane?.parking.size ?? 0),
        ...{ releasedVersion: BigInt(keeper.releasedVersion), seenEpoch: BigInt(keeper.seenEpoch) },
        revision: BigInt(lane?.route.plan.revision ?? 0),
        rateSharePpm: this.#shares.get(keeper.id.uid)?.rateSharePpm ?? 0,
        liveDemandPpm: this.#demandOf(keeper),
      })
    })
  }

  #demandOf(keeper: Keeper): number {
    const roster = this.rosterOf(keeper)
    return roster?.endpoint.demandPpm(roster) ?? 0
  }

  /** Why the lane does not move, as it is reported. */
  troubleOf(keeper: Keeper): { condition: LaneCondition; message: string } {
    const { condition, message } = keeper.troubles.first
    if (condition !== LaneCondition.UNSPECIFIED || keeper.state !== State.RUNNING) return { condition, message }
    if (this.#suspended)
      return { condition: LaneCondition.STATE_UNAVAILABLE, message: 'the worker has no lease: Redis does not renew it' }
    const roster = this.rosterOf(keeper)
    if (roster === undefined) return { condition, message }
    const own = roster.conditionOf(keeper)
    return { condition: own, message: roster.messageOf(keeper, own) ?? message }
  }

  assign(assignments: readonly LaneAssignment[]): void {
    this.#assignments = new Map(this.#leaving ? [] : assignments.map((each) => [keyOf(each), each]))
    this.#share()
    for (const [key, keeper] of this.#keepers) if (!this.#assignments.has(key)) keeper.drain()
    for (const [key, assignment] of this.#assignments) if (!this.#keepers.has(key)) this.#take(key, assignment)
    this.#parts.routes.keep(new Set([...this.#keepers.values()].map((keeper) => keeper.id.uid)))
    void this.#reconcile()
  }

  /** At once: others have what this worker no longer has as soon as it says that it works by these assignments. */
  #share(): void {
    this.#shares = new Map([...this.#assignments.values()].map((each) => [each.id!.uid, each]))
    this.#endpoints.shareRates(this.rosters, this.#shares, performance.now())
  }

  /** From now on the lane is reported, whatever it still waits for. */
  #take(key: string, assignment: LaneAssignment): void {
    const { clusters } = this.#parts
    const id = toLaneId(assignment.id!)
    // A lane of a cluster that this worker does not have is reported, and never started.
    const { side, source } = clusters.of(id.cluster) ?? clusters.of(defaultCluster)!
    const keeper = new Keeper(id, Number(assignment.epoch), {
      ...this.#parts.keeper,
      ...{ source, cluster: side.cluster },
      ready: (ready) => this.rosterOf(ready)?.pump(),
      letGo: (gone) => {
        this.rosterOf(gone)?.abort(gone)
        this.#parts.hurry()
      },
    })
    if (this.#suspended) keeper.suspend()
    this.#keepers.set(key, keeper)
    this.#parts.log.info({ lane: keeper.key, epoch: keeper.epoch }, 'lane: starting')
  }

  /** Starts and updates what is assigned, by the revision that is asked for; tries until nothing is missing. */
  async #reconcile(): Promise<void> {
    const assignments = this.#assignments
    for (let failures = 0; assignments === this.#assignments; failures++) {
      let unheard: string | undefined
      try {
        await this.#parts.routes.fetch([...assignments.values()].map(wantedOf))
      } catch (error) {
        unheard = `the control plane does not give the use case's definition: ${String(error)}`
        if (failures === 0)
          this.#parts.log.warn({ error: String(error) }, 'lanes: the control plane does not give definitions, trying again')
      }
      if (assignments !== this.#assignments) return
      let missing = 0
      for (const [key, assignment] of assignments) if (!this.#apply(this.#keepers.get(key), assignment, unheard)) missing++
      if (missing === 0) return
      await new Promise((resolve) => setTimeout(resolve, Math.min(100 * 2 ** failures, RECONCILE_AGAIN_MS)))
    }
  }

  /** Answers whether the lane works as it is asked to. */
  #apply(keeper: Keeper | undefined, assignment: LaneAssignment, unheard: string | undefined): boolean {
    if (keeper === undefined || !keeper.held) return true
    const { routes } = this.#parts
    const wanted = wantedOf(assignment)
    const route = routes.get(wanted.uid)
    const foreign = this.#foreignOf(keeper)
    const trouble =
      foreign === undefined ? routes.problemOf(wanted) : { condition: LaneCondition.NOT_SUPPORTED, message: foreign }
    keeper.troubles.definition = trouble?.message
    if (route === undefined || foreign !== undefined) {
      keeper.troubles.start = trouble ?? { condition: LaneCondition.UNSPECIFIED, message: unheard ?? '' }
      return false
    }
    const roster = this.#rosterFor(route.plan.uid)
    const isSameEndpoint = roster.route.plan.origin === route.plan.origin
    roster.route = route
    if (!isSameEndpoint) roster.endpoint.forget(roster)
    this.#endpoints.place(roster, assignment)
    this.#endpoints.shareRates(this.rosters, this.#shares, performance.now())
    const limits = this.#limitsOf(assignment)
    if (keeper.begun) keeper.reroute(route, limits)
    else {
      roster.add(keeper)
      const { releasedVersion, endOffset } = assignment
      void keeper.start(route, limits, Number(releasedVersion), endOffset === undefined ? undefined : Number(endOffset))
    }
    return routes.has(wanted)
  }

  #foreignOf({ id }: Keeper): string | undefined {
    const { names } = this.#parts.clusters
    return names.includes(id.cluster)
      ? undefined
      : `this worker has no Kafka cluster ${id.cluster}, only ${names.join(', ')}: name it in its FERRY_KAFKA_CLUSTERS`
  }

  #rosterFor(uid: string): Roster {
    const known = this.#rosters.get(uid)
    if (known !== undefined) return known
    const roster = new Roster(this.#parts.routes.get(uid)!, this.#parts.roster)
    this.#rosters.set(uid, roster)
    return roster
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
    for (const release of releases) {
      const key = keyOf(release)
      const keeper = this.#keepers.get(key)
      if (keeper !== undefined && !keeper.held) this.#forget(key, keeper)
    }
  }

  #forget(key: string, keeper: Keeper): void {
    this.#keepers.delete(key)
    const roster = this.rosterOf(keeper)
    roster?.remove(keeper)
    if (roster?.keepers.length !== 0) return
    roster.close()
    this.#endpoints.leave(roster)
    this.#rosters.delete(keeper.id.uid)
  }

  lookAtInboxes(lanes: readonly LaneIdMessage[]): void {
    const keys = new Set(lanes.map((each) => laneKey(toLaneId(each))))
    for (const keeper of this.keepers)
      if (keeper.state === State.RUNNING && keys.has(keeper.key)) keeper.laneState.inboxCount ||= 1
  }

  /** The lease is over: nothing is read or sent, what is on its way is aborted. Rows are still logged, checkpoints still tried. */
  suspend(): void {
    this.#suspended = true
    for (const keeper of this.keepers) keeper.suspend()
    for (const roster of this.rosters) roster.abort()
  }

  resume(): void {
    this.#suspended = false
    for (const keeper of this.keepers) keeper.resume()
    for (const roster of this.rosters) roster.pump()
  }

  /** Redis may have lost writes: every lane proves itself by a checkpoint. */
  prove(): void {
    for (const keeper of this.keepers) keeper.checkpointer.prove()
  }

  loseAll(reason: string): void {
    this.#assignments = new Map()
    this.#share()
    for (const [key, keeper] of [...this.#keepers]) {
      keeper.lose(reason, 0)
      // Nobody will acknowledge an expelled instance's lanes. Rows that are not durable yet stay in the log's hands.
      this.#forget(key, keeper)
    }
  }

  /** Lets every lane go, and takes none any more. */
  leave(): void {
    this.#leaving = true
    this.assign([])
  }
}
