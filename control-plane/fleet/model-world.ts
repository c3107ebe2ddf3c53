import fc from 'fast-check'
import { type LaneId, laneKey } from '../../runtime/lane-keys.ts'
import type { GroupMember } from '../use-cases/endpoint-group.ts'
import { ModelLeader, ModelRedis, ModelWorker } from './fleet-model.ts'
import type { FleetUseCase } from './plan.ts'

const workersMax = 6

export type Command =
  /** Time passes; the workers whose bit is set do their duties, and the leader its own. */
  | { readonly kind: 'round'; readonly ms: number; readonly who: number; readonly works: boolean; readonly complete: boolean }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'touch' | 'kill' | 'freeze' | 'thaw' | 'leave' | 'late'; readonly who: number }
  | { readonly kind: 'beat'; readonly who: number; readonly isAnswered: boolean; readonly complete: boolean }
  | { readonly kind: 'work'; readonly who: number; readonly which: number }
  | { readonly kind: 'write'; readonly isAnswered: boolean }
  | { readonly kind: 'stale-write' | 'step' | 'read' | 'expel' | 'failover' | 'join' }
  | { readonly kind: 'pause' | 'resume'; readonly uid: string }
  | { readonly kind: 'demand'; readonly who: number; readonly ppm: number }

const who = fc.nat({ max: workersMax - 1 })
const only = <const K extends string>(...kinds: K[]): fc.Arbitrary<K> => fc.constantFrom(...kinds)

export const commands: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 16,
    arbitrary: fc.record({
      kind: only('round'),
      ms: fc.constantFrom(50, 300, 1000),
      who: fc.nat({ max: 2 ** workersMax - 1 }),
      works: fc.boolean(),
      complete: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: only('advance'), ms: fc.constantFrom(10, 500, 2000, 5000) }) },
  { weight: 2, arbitrary: fc.record({ kind: only('touch', 'late'), who }) },
  { weight: 2, arbitrary: fc.record({ kind: only('kill', 'freeze', 'thaw', 'thaw', 'leave'), who }) },
  { weight: 4, arbitrary: fc.record({ kind: only('beat'), who, isAnswered: fc.boolean(), complete: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: only('work'), who, which: fc.nat({ max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: only('write'), isAnswered: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: only('stale-write', 'step', 'read', 'expel', 'failover', 'join') }) },
  { weight: 1, arbitrary: fc.record({ kind: only('pause', 'resume'), uid: only('a', 'b') }) },
  { weight: 2, arbitrary: fc.record({ kind: only('demand'), who, ppm: fc.constantFrom(0, 50_000, 300_000, 1_000_000) }) },
)

/** a is LIVE and b BACKFILL. */
const member = (uid: string): GroupMember => ({
  ...{ group: 'team/shop', isBackfill: uid === 'b' },
  asked: { maxInFlight: 8, concurrency: undefined, recordsPerSecond: 100, bytesPerSecond: undefined },
})

const useCase = (uid: string, state: FleetUseCase['state'], isGrouped: boolean): FleetUseCase => ({
  uid,
  state,
  revision: 1,
  maxInFlight: 8,
  parkedMax: 100,
  parkedBytesMax: 1000,
  isRateLimited: true,
  member: isGrouped ? member(uid) : undefined,
})

export const lanes: readonly LaneId[] = ['a', 'b'].flatMap((uid) =>
  [0, 1, 2].map((partition) => ({ uid, cluster: 'default', topic: 'orders', partition })),
)

export class World {
  nowMs = 0
  readonly redis = new ModelRedis()
  readonly workers: ModelWorker[] = []
  readonly useCases = new Map<string, FleetUseCase>()
  readonly #isGrouped: boolean
  readonly stale: ModelLeader[] = []
  leader: ModelLeader

  /** isGrouped: both use cases share an endpoint. */
  constructor(isGrouped = false) {
    this.#isGrouped = isGrouped
    for (const uid of ['a', 'b']) this.setState(uid, 'ACTIVE')
    for (const id of lanes) this.redis.lanes.set(laneKey(id), { epoch: 0, owner: '', version: 1 })
    this.redis.term = 1
    this.leader = new ModelLeader(1, lanes, this.useCases)
    this.join()
    this.join()
  }

  run(command: Command): void {
    const worker = 'who' in command ? this.workers[command.who % this.workers.length]! : undefined
    if (command.kind === 'round') this.round(command.ms, command.who, command.works, command.complete)
    else if (command.kind === 'advance') this.nowMs += command.ms
    else if (command.kind === 'pause' || command.kind === 'resume') {
      this.setState(command.uid, command.kind === 'pause' ? 'PAUSED' : 'ACTIVE')
    } else if (worker !== undefined) this.#runWorker(worker, command)
    else this.#runLeader(command)
  }

  /** Everything that works does all its duties once. */
  round(ms: number, who = -1, works = true, complete = false): void {
    this.nowMs += ms
    this.leader.read(this.redis)
    for (const [index, worker] of this.workers.entries()) {
      if (!worker.canAct || (who & (1 << (index % workersMax))) === 0) continue
      worker.touch(this.redis, this.nowMs)
      if (!worker.isAlive) continue
      worker.hear(this.leader.hear(worker.beat(complete), this.nowMs))
      for (let lane = 0; works && lane < 3 * lanes.length; lane++) worker.work(this.redis, this.nowMs, lane)
    }
    this.expel()
    this.leader.step(this.nowMs)
    while (this.leader.writes.length > 0) this.leader.write(this.redis, true)
  }

  join(): void {
    if (this.workers.filter((worker) => worker.isAlive).length >= workersMax) return
    const worker = new ModelWorker(`worker-${this.workers.length}`)
    worker.touch(this.redis, this.nowMs)
    this.workers.push(worker)
  }

  failover(): void {
    this.stale.push(this.leader)
    this.leader = new ModelLeader(++this.redis.term, lanes, this.useCases)
  }

  expel(): void {
    for (const instance of this.leader.core.suspects(this.nowMs)) {
      if (this.redis.expel(instance, this.nowMs)) this.leader.core.expelled(instance, this.nowMs)
    }
  }

  setState(uid: string, state: FleetUseCase['state']): void {
    this.useCases.set(uid, useCase(uid, state, this.#isGrouped))
  }

  /** Workers that may be sending for this lane now. */
  holdersOf(id: LaneId): ModelWorker[] {
    return this.workers.filter((worker) => worker.holds(laneKey(id), this.nowMs))
  }

  /** What each lane's holder does with which epoch, for comparison. */
  placement(): string[] {
    return lanes.map((id) =>
      this.holdersOf(id)
        .map((worker) => `${worker.instance} ${worker.held(laneKey(id))!.state} ${worker.held(laneKey(id))!.epoch}`)
        .join(),
    )
  }

  #runWorker(worker: ModelWorker, command: Command): void {
    if (command.kind === 'kill') worker.isAlive = false
    if (command.kind === 'freeze') worker.isFrozen = true
    if (command.kind === 'thaw') worker.isFrozen = false
    if (command.kind === 'leave') worker.draining = true
    if (command.kind === 'demand') worker.demandPpm = command.ppm
    if (command.kind === 'late' && worker.lastBeat !== undefined) this.leader.hear(worker.lastBeat, this.nowMs)
    if (!worker.canAct) return
    if (command.kind === 'touch') worker.touch(this.redis, this.nowMs)
    if (command.kind === 'work') worker.work(this.redis, this.nowMs, command.which)
    if (command.kind === 'beat') {
      const reply = this.leader.hear(worker.beat(command.complete), this.nowMs)
      if (command.isAnswered) worker.hear(reply)
    }
  }

  #runLeader(command: Command): void {
    if (command.kind === 'write') this.leader.write(this.redis, command.isAnswered)
    if (command.kind === 'stale-write') this.stale.find((each) => each.writes.length > 0)?.write(this.redis, true)
    if (command.kind === 'step') this.leader.step(this.nowMs)
    if (command.kind === 'read') this.leader.read(this.redis)
    if (command.kind === 'expel') this.expel()
    if (command.kind === 'failover') this.failover()
    if (command.kind === 'join') this.join()
  }
}
