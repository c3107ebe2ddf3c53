import type { LaneId } from '../../runtime/lane-keys.ts'
import { laneKey } from '../../runtime/lane-keys.ts'
import { FleetCore, type FleetTimings } from './fleet-core.ts'
import { possibleHolder } from './found-lane.ts'
import type { Assignment, Heartbeat, HeartbeatReply, LaneReport, ReportedState } from './heartbeat.ts'
import type { FleetUseCase, Grant } from './plan.ts'

// A model of everything around the leader's core, with a clock of its own: Redis with its fences, workers that follow the
// contract, leaders that come and go. The tests drive it in every order they can think of.

export const timings: FleetTimings = {
  heartbeatTimeoutMs: 3000,
  heartbeatIntervalMs: 1000,
  hurryIntervalMs: 200,
  gatherMs: 500,
  movesMax: 2,
  workersMax: 1000,
  lanesPerWorkerMax: 10_000,
  expelledForMs: 3_600_000,
}

const leaseMs = 4000
/** Wall clock at model time 0. */
const epochStartMs = 1_700_000_000_000

export class ModelRedis {
  readonly leases = new Map<string, { value: 'alive' | 'expelled'; untilMs: number }>()
  readonly lanes = new Map<string, { epoch: number; owner: string; version: number }>()
  readonly grants = new Map<string, { epoch: number; instance: string }>()
  term = 0

  lease(instance: string, nowMs: number): 'alive' | 'expelled' | undefined {
    const lease = this.leases.get(instance)
    return lease !== undefined && nowMs < lease.untilMs ? lease.value : undefined
  }

  expel(instance: string, nowMs: number): boolean {
    if (this.lease(instance, nowMs) === 'alive') return false
    this.leases.set(instance, { value: 'expelled', untilMs: nowMs + timings.expelledForMs })
    return true
  }

  writeGrants(term: number, grants: readonly Grant[]): boolean {
    if (term !== this.term) return false
    for (const grant of grants) this.grants.set(grant.key, grant)
    return true
  }
}

interface ModelLane {
  readonly id: LaneId
  readonly key: string
  readonly epoch: number
  state: ReportedState
  version: number
  seenEpoch: number
}

export class ModelWorker {
  readonly instance: string
  /** What it holds, and what it has let go of and not been acknowledged: a lane may be here with several epochs. */
  lanes: ModelLane[] = []
  isAlive = true
  isFrozen = false
  draining = false
  /** What its LIVE lanes ask for, if they are of a group. */
  demandPpm = 0
  leaseUntilMs = 0
  #sequence = 0
  #applied = 0
  #mustTellAll = true
  #told = new Set<string>()
  #assigned = new Map<string, Assignment>()
  lastBeat: Heartbeat | undefined

  constructor(instance: string) {
    this.instance = instance
  }

  get canAct(): boolean {
    return this.isAlive && !this.isFrozen
  }

  /** Whether it may be sending for this lane at this moment. */
  holds(key: string, nowMs: number): boolean {
    return this.isAlive && nowMs < this.leaseUntilMs && this.held(key) !== undefined
  }

  held(key: string): ModelLane | undefined {
    return this.lanes.find((lane) => lane.key === key && isHeldState(lane))
  }

  touch(redis: ModelRedis, nowMs: number): void {
    const lease = redis.lease(this.instance, nowMs)
    const isOver = nowMs >= this.leaseUntilMs && this.leaseUntilMs > 0
    if (lease === 'expelled' || (isOver && lease === undefined)) {
      this.isAlive = false
      return
    }
    redis.leases.set(this.instance, { value: 'alive', untilMs: nowMs + leaseMs })
    this.leaseUntilMs = nowMs + leaseMs
  }

  beat(complete: boolean): Heartbeat {
    const isComplete = complete || this.#mustTellAll
    // Some tell more than has changed, as after a reply that they have not heard.
    const tellsMore = this.#sequence % 3 === 0
    const lanes = this.lanes.filter((lane) => isComplete || tellsMore || !this.#told.has(mark(lane)) || !isHeldState(lane))
    this.#sequence++
    this.lastBeat = {
      instance: this.instance,
      sequence: this.#sequence,
      description: '',
      startTimeMs: 0,
      draining: this.draining,
      lanes: lanes.map((lane) => ({ ...reportOf(lane, this.ratePpm(lane.id.uid)), liveDemandPpm: this.demandPpm })),
      complete: isComplete,
      assignmentVersion: this.#applied,
    }
    return this.lastBeat
  }

  /** The share of a use case's rate limit that it may be sending by. */
  ratePpm(uid: string): number {
    return [...this.#assigned.values()].find((each) => each.id.uid === uid)?.rateSharePpm ?? 0
  }

  hear(reply: HeartbeatReply): void {
    this.#mustTellAll = reply.sendComplete
    this.#told = new Set(this.lanes.map(mark))
    const forgotten = new Set(reply.acknowledged.map(({ id, epoch }) => `${laneKey(id)} ${epoch}`))
    this.lanes = this.lanes.filter((lane) => isHeldState(lane) || !forgotten.has(`${lane.key} ${lane.epoch}`))
    if (reply.assignments === undefined) return
    this.#applied = reply.assignmentVersion
    const wanted = new Map(reply.assignments.map((each) => [laneKey(each.id), each]))
    for (const lane of this.lanes.filter(isHeldState)) {
      if (wanted.get(lane.key)?.epoch !== lane.epoch) lane.state = lane.state === 'STARTING' ? 'RELEASED' : 'DRAINING'
    }
    this.#assigned = wanted
  }

  /** Begins with an assigned lane: its definition had to be fetched first, so this is some time after it was told. */
  #begin(): boolean {
    for (const [key, { id, epoch }] of this.#assigned) {
      if (this.lanes.some((lane) => lane.key === key && (isHeldState(lane) || lane.epoch >= epoch))) continue
      this.lanes.push({ id, key, epoch, state: 'STARTING', version: 0, seenEpoch: 0 })
      return true
    }
    return false
  }

  /** Takes one lane a step on: begins with it, claims it, or lets go of it. */
  work(redis: ModelRedis, nowMs: number, which: number): void {
    const busy = this.lanes.filter((lane) => lane.state === 'STARTING' || lane.state === 'DRAINING')
    const lane = busy[which % Math.max(1, busy.length)]
    if (nowMs >= this.leaseUntilMs || (which % 2 === 0 && this.#begin())) return
    if (lane === undefined) return
    const stored = redis.lanes.get(lane.key)!
    const isOurs =
      lane.state === 'STARTING' ? stored.epoch < lane.epoch : stored.epoch === lane.epoch && stored.version === lane.version
    if (!isOurs) {
      lane.state = 'LOST'
      lane.seenEpoch = stored.epoch
      return
    }
    Object.assign(stored, { epoch: lane.epoch, owner: this.instance, version: stored.version + 1 })
    lane.version = stored.version
    lane.state = lane.state === 'STARTING' ? 'RUNNING' : 'RELEASED'
  }
}

const isHeldState = (lane: ModelLane): boolean => lane.state !== 'RELEASED' && lane.state !== 'LOST'
const mark = (lane: ModelLane): string => `${lane.key} ${lane.epoch} ${lane.state}`

const reportOf = (lane: ModelLane, rateSharePpm: number): LaneReport => ({
  id: lane.id,
  key: lane.key,
  epoch: lane.epoch,
  state: lane.state,
  condition: 0,
  message: '',
  cursor: 0,
  floor: 0,
  endOffset: -1,
  parked: 0,
  releasedVersion: lane.state === 'RELEASED' ? lane.version : 0,
  seenEpoch: lane.seenEpoch,
  ...{ revision: 1, rateSharePpm, liveDemandPpm: 0, reportTimeMs: 0 },
})

/** A leader with what it has sent to Redis and not been answered. */
export class ModelLeader {
  readonly core: FleetCore
  readonly term: number
  readonly writes: (readonly Grant[])[] = []

  constructor(term: number, lanes: readonly LaneId[], useCases: ReadonlyMap<string, FleetUseCase>) {
    this.term = term
    this.core = new FleetCore(timings, term * 1_000_000)
    this.core.setUseCases(useCases)
    for (const id of lanes) this.core.table.add(laneKey(id), id)
  }

  /** Reads who may hold what, as a new leader does. */
  read(redis: ModelRedis): void {
    for (const { key } of this.core.table.all()) {
      const { epoch, holder } = possibleHolder(redis.lanes.get(key), redis.grants.get(key))
      this.core.resolve(key, { epoch, holder, releasedVersion: 0, notBeforeMs: 0 })
    }
  }

  step(nowMs: number): void {
    const grants = this.core.step(nowMs, epochStartMs + nowMs)
    if (grants.length > 0) this.writes.push(grants)
  }

  /** The oldest write reaches Redis; its answer reaches the leader, or not. */
  write(redis: ModelRedis, isAnswered: boolean): void {
    const grants = this.writes.shift()
    if (grants === undefined) return
    if (redis.writeGrants(this.term, grants) && isAnswered) this.core.granted(grants)
    else this.core.dropped(grants)
  }

  hear(beat: Heartbeat, nowMs: number): HeartbeatReply {
    const heard = this.core.hear(beat, nowMs, epochStartMs + nowMs)
    // A leader that is busy takes a step for several heartbeats together.
    if (heard?.calls && beat.sequence % 3 !== 0) this.step(nowMs)
    return this.core.reply(heard === undefined ? '' : beat.instance, beat.assignmentVersion, heard?.acknowledged ?? [])
  }
}
