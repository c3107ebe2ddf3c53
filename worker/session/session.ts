import { create } from '@bufbuild/protobuf'
import { durationMs, timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { LaneId as LaneIdMessage } from '../../proto/gen/ferry/v1/lane_pb.ts'
import {
  HeartbeatRequestSchema,
  type HeartbeatResponse,
  type LaneAssignment,
  type LaneRelease,
  type LaneReport,
  type Trial,
} from '../../proto/gen/ferry/v1/worker_service_pb.ts'
import { backoffMs } from '../../runtime/backoff.ts'
import type { Logger } from '../../runtime/log.ts'
import { Calls } from '../../runtime/metrics/calls.ts'
import { Alarm } from './alarm.ts'
import type { ControlPlaneClient } from './control-plane-client.ts'
import type { Lease as RealLease } from './lease.ts'

type Lease = Pick<RealLease, 'isValid' | 'touch' | 'leave'>

/** What the session asks of, and tells, the part that holds the lanes. */
export interface Holdings {
  /** All lanes that are held, or were let go and not acknowledged. */
  report(): LaneReport[]
  /** All that should be held: starts, drains and updates. */
  assign(assignments: readonly LaneAssignment[]): void
  acknowledge(releases: readonly LaneRelease[]): void
  lookAtInboxes(lanes: readonly LaneIdMessage[]): void
  /** The lease is over: nothing may be sent until resume(). */
  suspend(): void
  resume(): void
  /** This instance is expelled: every lane is lost. */
  loseAll(reason: string): void
}

export interface SessionOptions {
  readonly description: string
  readonly startMs: number
  readonly intervalMs: number
  readonly completeEvery: number
  /**
   * From a lease's end to silence, ms: as long as rows of what was sent before may take into the log. Its lanes' next owners ask the
   * log what has ended, and are not to ask before.
   */
  readonly lastWordsMs: number
  /** Somebody waits for these. */
  readonly tryOut: (trials: readonly Trial[]) => void
}

const PROTOCOL_VERSION = 1
const HURRY_MS = 10
/** A lane's words are often an error's, and these have any length; a heartbeat that breaks the contract is heard by nobody. */
const MESSAGE_LENGTH_MAX = 1000

/** One heartbeat loop and one lease: what I hold against what I should hold, and until when I may act. */
export class Session {
  readonly heartbeats = new Calls()
  readonly #client: Pick<ControlPlaneClient, 'heartbeat'>
  readonly #holdings: Holdings
  readonly #options: SessionOptions
  readonly #log: Logger
  readonly #newLease: (instance: string) => Lease
  #instance: string
  #lease: Lease
  #sequence = 0n
  #assignmentVersion = 0n
  #sent = new Map<string, string>()
  #sendComplete = true
  #suspended = true
  /** Monotonic clock; without a lease nothing is said from then on. */
  #silentFromMs = 0
  #stopped = false
  #draining = false
  #heard = false
  #loops: Promise<void>[] = []
  /** A heartbeat is asked for before its time. */
  #hurried = false
  readonly #touchAlarm = new Alarm()
  readonly #beatAlarm = new Alarm()

  constructor(
    client: Pick<ControlPlaneClient, 'heartbeat'>,
    newLease: (instance: string) => Lease,
    instance: string,
    holdings: Holdings,
    options: SessionOptions,
    log: Logger,
  ) {
    this.#client = client
    this.#newLease = newLease
    this.#instance = instance
    this.#lease = newLease(instance)
    this.#holdings = holdings
    this.#options = options
    this.#log = log
  }

  get instance(): string {
    return this.#instance
  }

  /**
   * Whether this worker may read and send. Asked before each request, since whatever a process does first after it was frozen
   * may come before check(). Both clocks just read: performance.now() and Date.now().
   */
  maySend(now: number, nowMs: number): boolean {
    return !this.#suspended && this.#lease.isValid(now, nowMs)
  }

  /** Whether a control plane has ever answered. */
  get heard(): boolean {
    return this.#heard
  }

  start(): void {
    this.#loops = [this.#touchLoop(), this.#heartbeatLoop()]
  }

  /** Tells the control plane that this worker leaves; the loops go on until stop(). */
  leave(): void {
    this.#draining = true
    this.hurry()
  }

  /**
   * Ends the loops. hasDrained: nothing of this instance can be on its way any more, so nobody need wait for the lease's end;
   * otherwise the lease runs out, so that the next owners find in the log what is still being inserted.
   */
  async stop(hasDrained: boolean): Promise<void> {
    this.#stopped = true
    this.#touchAlarm.ring()
    this.#beatAlarm.ring()
    await Promise.all(this.#loops)
    if (hasDrained) await this.#lease.leave().catch(() => {})
  }

  /** Called often: a lease may end while nothing else happens, or have ended while the process was frozen. */
  check(): void {
    if (this.#suspended || this.#lease.isValid(performance.now(), Date.now())) return
    this.#suspended = true
    this.#silentFromMs = performance.now() + this.#options.lastWordsMs
    this.#log.warn({}, 'session: the lease is over; nothing is sent until Redis renews it')
    this.#holdings.suspend()
  }

  async #touchLoop(): Promise<void> {
    while (!this.#stopped) {
      try {
        this.check()
        if ((await this.#lease.touch()) === 'GONE') this.#reborn()
        else if (this.#suspended && this.#lease.isValid(performance.now(), Date.now())) {
          this.#suspended = false
          this.#holdings.resume()
          this.#beatAlarm.ring()
        }
      } catch (error) {
        this.#log.debug({ error: String(error) }, 'session: Redis did not take the touch')
      }
      if (!this.#stopped) await this.#touchAlarm.sleep(this.#suspended ? 100 : this.#options.intervalMs)
    }
  }

  /** An expelled instance never comes back: this process goes on as another one. */
  #reborn(): void {
    this.#log.warn(
      { instance: this.#instance },
      'session: this instance was expelled, or Redis lost its lease: every lane is given up',
    )
    this.#suspended = true
    this.#silentFromMs = 0
    this.#holdings.suspend()
    this.#holdings.loseAll('the lease was lost')
    this.#instance = crypto.randomUUID()
    this.#lease = this.#newLease(this.#instance)
    this.#sequence = 0n
    this.#assignmentVersion = 0n
    this.#sent = new Map()
    this.#sendComplete = true
  }

  async #heartbeatLoop(): Promise<void> {
    for (let failures = 0; !this.#stopped; ) {
      let waitMs = this.#options.intervalMs
      // Without a lease it can do nothing for its lanes; only when it is silent may the leader give them to another.
      if (this.#suspended && performance.now() >= this.#silentFromMs) {
        await this.#beatAlarm.sleep(waitMs)
        continue
      }
      this.#hurried = false
      try {
        waitMs = await this.#heartbeat()
        failures = 0
        this.#heard = true
      } catch (error) {
        if (failures++ === 3)
          this.#log.warn({ error: String(error) }, 'session: the control plane does not answer; delivery goes on')
        waitMs = 100 + backoffMs(failures, 100, 2000, Math.random())
      }
      // What was hurried while the last one was on its way is not in it.
      if (this.#hurried && failures === 0) waitMs = HURRY_MS
      if (!this.#stopped) await this.#beatAlarm.sleep(waitMs)
    }
  }

  /** The next heartbeat at once: something was let go or started. */
  hurry(): void {
    this.#hurried = true
    this.#beatAlarm.ring()
  }

  async #heartbeat(): Promise<number> {
    const instance = this.#instance
    const complete = this.#sendComplete || Number(this.#sequence) % this.#options.completeEvery === 0
    const all = this.#holdings.report()
    for (const lane of all)
      if (lane.message.length > MESSAGE_LENGTH_MAX) lane.message = `${lane.message.slice(0, MESSAGE_LENGTH_MAX - 3)}...`
    const texts = new Map(all.map((lane) => [`${laneText(lane)}`, JSON.stringify(lane, bigints)]))
    const lanes = complete ? all : all.filter((lane) => this.#sent.get(laneText(lane)) !== texts.get(laneText(lane)))
    const request = create(HeartbeatRequestSchema, {
      ...{ instance, sequence: ++this.#sequence, protocolVersion: PROTOCOL_VERSION, description: this.#options.description },
      ...{
        startTime: timestampFromMs(this.#options.startMs),
        draining: this.#draining,
        lanes,
        complete,
        assignmentVersion: this.#assignmentVersion,
      },
    })
    const response = await this.heartbeats.time(() => this.#client.heartbeat(request))
    if (instance !== this.#instance) return 0
    this.#sent = texts
    this.#apply(response)
    return response.nextInterval ? durationMs(response.nextInterval) : this.#options.intervalMs
  }

  #apply(response: HeartbeatResponse): void {
    this.#sendComplete = response.sendComplete
    this.#holdings.acknowledge(response.acknowledged)
    if (response.changed) {
      this.#holdings.assign(response.assignments)
      this.#assignmentVersion = response.assignmentVersion
    }
    if (response.drain && !this.#draining) {
      this.#log.info({}, 'session: an operator takes this worker out: it lets its lanes go and goes on without')
      this.leave()
    }
    if (response.inboxes.length > 0) this.#holdings.lookAtInboxes(response.inboxes)
    if (response.trials.length > 0) this.#options.tryOut(response.trials)
  }
}

const laneText = ({ id, epoch }: LaneReport): string => `${id!.uid}/${id!.cluster}/${id!.topic}/${id!.partition}@${epoch}`
const bigints = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)
