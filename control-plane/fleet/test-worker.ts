import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type LaneId, laneKey, laneKeys, leaseKey } from '../../runtime/lane-keys.ts'
import { defineScript, type Redis } from '../../runtime/redis.ts'
import { FleetError } from './fleet-error.ts'
import type { Assignment, HeartbeatReply, LaneReport, ReportedState } from './heartbeat.ts'
import type { TestFleet } from './test-fleet.ts'

const leaseMs = 1000

const touchScript = defineScript(`
local state = redis.call('GET', KEYS[1])
if state == 'expelled' or (not state and ARGV[2] == '0') then return 0 end
redis.call('SET', KEYS[1], 'alive', 'PX', ARGV[1])
return 1
`)

const claimScript = defineScript(`
local epoch = tonumber(redis.call('HGET', KEYS[1], 'epoch') or '-1')
if tonumber(ARGV[1]) <= epoch then return epoch end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'owner', ARGV[2])
redis.call('HDEL', KEYS[1], 'clean')
return 0
`)

const releaseScript = defineScript(`
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'clean', 1)
return redis.call('HINCRBY', KEYS[1], 'version', 1)
`)

interface Held {
  readonly assignment: Assignment
  state: ReportedState
  releasedVersion: number
  seenEpoch: number
}

/** A worker that claims and releases lanes, and delivers nothing. It follows the contract: what it does wrong would be the fleet's. */
export class TestWorker {
  readonly instance = randomBytes(8).toString('hex')
  readonly held = new Map<string, Held>()
  /** Everything it was ever given, in order. */
  readonly given: Assignment[] = []
  isExpelled = false
  draining = false
  readonly #redis: Redis
  readonly #test: TestFleet
  readonly #stopping = new AbortController()
  #running: Promise<unknown> | undefined
  #frozen: Promise<void> | undefined
  #leaseUntilMs = 0
  #sequence = 0
  #version = 0
  #complete = true

  constructor(redis: Redis, test: TestFleet) {
    this.#redis = redis
    this.#test = test
  }

  start(): void {
    this.#running = Promise.all([this.#loop(() => this.#touch(), 200), this.#loop(() => this.#beat(), 50)])
  }

  /** As SIGKILL does: nothing is told. */
  async kill(): Promise<void> {
    this.#stopping.abort()
    this.held.clear()
    await this.#running
  }

  /** As SIGSTOP does; call what is answered to go on. */
  freeze(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#frozen = promise
    return () => {
      this.#frozen = undefined
      resolve()
    }
  }

  get isSending(): boolean {
    return performance.now() < this.#leaseUntilMs && this.#frozen === undefined
  }

  runs(key: string): boolean {
    return this.isSending && this.held.get(key)?.state === 'RUNNING'
  }

  async #loop(step: () => Promise<void>, intervalMs: number): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#frozen
      await step().catch(() => {})
      await sleep(intervalMs, undefined, { signal: this.#stopping.signal }).catch(() => {})
    }
  }

  async #touch(): Promise<void> {
    const sentMs = performance.now()
    const mayCreate = this.#leaseUntilMs === 0 || sentMs < this.#leaseUntilMs
    if (Number(await touchScript(this.#redis, [leaseKey(this.instance)], [leaseMs, mayCreate ? 1 : 0])) === 1) {
      this.#leaseUntilMs = sentMs + leaseMs
    } else {
      this.isExpelled = true
      this.held.clear()
    }
  }

  async #beat(): Promise<void> {
    if (this.#leaseUntilMs === 0 || this.isExpelled) return
    const reply = await this.#ask()
    await this.#frozen
    if (reply === undefined || this.#stopping.signal.aborted) return
    this.#complete = reply.sendComplete
    this.draining ||= reply.drain
    for (const { id, epoch } of reply.acknowledged) {
      const held = this.held.get(laneKey(id))
      if (held?.assignment.epoch === epoch && (held.state === 'RELEASED' || held.state === 'LOST')) this.held.delete(laneKey(id))
    }
    if (reply.assignments !== undefined) this.#follow(reply.assignments, reply.assignmentVersion)
    for (const [key, held] of this.held) await this.#work(key, held)
  }

  async #ask(): Promise<HeartbeatReply | undefined> {
    for (const { fleet } of this.#test.replicas) {
      if (fleet.lead() === undefined) continue
      try {
        return await fleet.heartbeat({
          ...{
            instance: this.instance,
            sequence: ++this.#sequence,
            description: 'test',
            startTimeMs: 1,
            draining: this.draining,
          },
          ...{ lanes: [...this.held].map(([key, held]) => report(key, held)), complete: this.#complete },
          assignmentVersion: this.#version,
        })
      } catch (error) {
        if (error instanceof FleetError && error.code === 'WORKER_EXPELLED') this.isExpelled = true
      }
    }
    return undefined
  }

  #follow(assignments: readonly Assignment[], version: number): void {
    this.#version = version
    const wanted = new Map(assignments.map((each) => [laneKey(each.id), each]))
    for (const [key, held] of this.held) {
      const isHeld = held.state === 'RUNNING' || held.state === 'STARTING'
      if (isHeld && wanted.get(key)?.epoch !== held.assignment.epoch) held.state = 'DRAINING'
    }
    for (const [key, assignment] of wanted) {
      if (this.held.has(key)) continue
      this.given.push(assignment)
      this.held.set(key, { assignment, state: 'STARTING', releasedVersion: 0, seenEpoch: 0 })
    }
  }

  async #work(key: string, held: Held): Promise<void> {
    const { id, epoch } = held.assignment
    if (performance.now() >= this.#leaseUntilMs) return
    if (held.state === 'STARTING') {
      const seen = Number(await claimScript(this.#redis, [laneKeys(id).lane], [epoch, this.instance]))
      held.seenEpoch = seen
      held.state = seen === 0 ? 'RUNNING' : 'LOST'
      if (held.state === 'RUNNING') this.#assertAlone(key, id)
    } else if (held.state === 'DRAINING') {
      held.releasedVersion = Number(await releaseScript(this.#redis, [laneKeys(id).lane], [epoch]))
      held.state = held.releasedVersion > 0 ? 'RELEASED' : 'LOST'
    }
  }

  #assertAlone(key: string, id: LaneId): void {
    const other = this.#test.workers.find((worker) => worker !== this && worker.holds(key))
    if (other !== undefined) this.#test.conflicts.push(`${laneKey(id)}: ${this.instance} began while ${other.instance} held it`)
  }

  /** Whether it may be sending for the lane now, or as soon as it is thawed. */
  holds(key: string): boolean {
    const state = this.held.get(key)?.state
    return performance.now() < this.#leaseUntilMs && (state === 'RUNNING' || state === 'DRAINING')
  }
}

const report = (key: string, { assignment, state, releasedVersion, seenEpoch }: Held): LaneReport => ({
  ...{ id: assignment.id, key, epoch: assignment.epoch, state, condition: 0, message: '', cursor: 5, floor: 4 },
  ...{
    endOffset: 9,
    parked: 1,
    releasedVersion,
    seenEpoch,
    revision: 1,
    rateSharePpm: assignment.rateSharePpm,
    liveDemandPpm: 0,
  },
  reportTimeMs: Date.now(),
})
