import { LaneCondition, LaneState as State } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { type LaneId, laneKey } from '../../runtime/lane-keys.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Redis } from '../../runtime/redis.ts'
import type { Route } from '../deliver/route.ts'
import type { Chunk, Partition, PartitionSink } from '../source/partition.ts'
import type { Source } from '../source/source.ts'
import { Checkpointer } from './checkpointer.ts'
import { cutChunks } from './cut-chunks.ts'
import { afterCheckpoint, afterDrain, afterFirstCheckpoint, isHeld } from './keeper-state.ts'
import { Lane, type LaneParts } from './lane.ts'
import type { LaneLimits } from './lane-limits.ts'
import { LaneState, RefusedError } from './lane-state.ts'
import { startLane } from './start-lane.ts'
import { askLog, findBase, NeedsDecisionError, type TakeoverParts } from './takeover.ts'
import { bindTopic } from './topic-binding.ts'
import { describeCut, describeRecreated, Troubles } from './troubles.ts'

const FETCHES_PER_SHARE = 16

export interface KeeperParts extends LaneParts, TakeoverParts {
  readonly redis: Redis
  readonly source: Source
  readonly log: Logger
  /** Fetched records that may wait for a request slot; reading pauses above, and goes on below half of it. */
  readonly intakeRecordsMax: number
  /** Bytes of the lane that one fetch may bring. */
  readonly partitionBytesMax: number
  /** Bytes of parked records that only this process has: above, nothing new is sent until Redis has them. */
  readonly unstoredBytesMax: number
  /** There may be something to send. */
  readonly ready: (keeper: Keeper) => void
  /** It has been let go of: what is on its way is to be aborted, and the control plane to be told. */
  readonly letGo: (keeper: Keeper) => void
}

const TROUBLE_MS = 2000
/** Much that Redis does not have: a checkpoint does not wait for its time. */
const EARLY_BYTES = 256 * 1024

export class Keeper implements PartitionSink {
  readonly id: LaneId
  readonly key: string
  readonly epoch: number
  state: State = State.STARTING
  lane: Lane | undefined
  readonly laneState: LaneState
  readonly checkpointer: Checkpointer
  readonly troubles = new Troubles()
  /** The topic that its offsets belong to; undefined until a broker and Redis have said it. */
  topicId: string | undefined
  /** Version of the last checkpoint when it was clean, else 0. */
  releasedVersion = 0
  seenEpoch = 0
  readonly #parts: KeeperParts
  #route: Route | undefined
  #limits: LaneLimits | undefined
  #partition: Partition | undefined
  /** No lease: nothing is read. */
  #suspended = false
  #failingSince = 0
  /** Records at or above it are not the lane's. */
  #readTo = Number.POSITIVE_INFINITY
  #hasReadAll = false

  constructor(id: LaneId, epoch: number, parts: KeeperParts) {
    this.id = id
    this.key = laneKey(id)
    this.epoch = epoch
    this.#parts = parts
    this.laneState = new LaneState(parts.redis, id, epoch, parts.instance)
    this.checkpointer = new Checkpointer(this.laneState)
  }

  get held(): boolean {
    return isHeld(this.state)
  }

  /** Whether start() was called. */
  get begun(): boolean {
    return this.#route !== undefined
  }

  reroute(route: Route, limits: LaneLimits): void {
    this.#route = route
    Object.assign(this.#limits!, limits)
    if (this.lane !== undefined && this.lane.route !== route) this.lane.reroute(route)
    if (this.#partition !== undefined) this.#partition.bytesMax = this.#fetchBytes()
  }

  /**
   * Claims the lane and starts it; releasedVersion as the control plane named it, 0: unknown. Tries until told otherwise. readTo: its records
   * end there.
   */
  async start(route: Route, limits: LaneLimits, releasedVersion: number, readTo = Number.POSITIVE_INFINITY): Promise<void> {
    this.#readTo = readTo
    this.#route = route
    this.#limits = { ...limits }
    await this.#patiently(() => this.#takeOver(releasedVersion))
    await this.#patiently(() => this.#begin())
  }

  /** Repeats a step of the start until it is done, or the lane is no longer to be started. */
  async #patiently(step: () => Promise<void>): Promise<void> {
    for (let failures = 0; this.state === State.STARTING; failures++) {
      try {
        await step()
        this.troubles.start = undefined
        return
      } catch (error) {
        if (error instanceof RefusedError) return this.lose(error.message, error.seenEpoch)
        if (this.state !== State.STARTING) return
        const condition = error instanceof NeedsDecisionError ? LaneCondition.NEEDS_DECISION : LaneCondition.STATE_UNAVAILABLE
        this.troubles.start = { condition, message: error instanceof NeedsDecisionError ? error.message : String(error) }
        if (failures === 0) this.#parts.log.warn({ lane: this.key, error: String(error) }, 'lane: cannot start, trying again')
        await new Promise((resolve) => setTimeout(resolve, Math.min(100 * 2 ** failures, 2000)))
      }
    }
  }

  async #takeOver(releasedVersion: number): Promise<void> {
    const { group, ordering } = this.#route!.plan
    const stored = await this.laneState.claim(Date.now())
    const base = await findBase(this.id, group, stored, releasedVersion, this.#parts)
    const knowledge = await askLog(this.id, ordering, base, this.#parts)
    if (this.state !== State.STARTING) return
    const start = startLane(base, knowledge, ordering, this.#limits!.creditMax, Date.now())
    const parts = { ...this.#parts, wake: () => this.#parts.ready(this) }
    this.lane = new Lane(this.id, this.epoch, this.#route!, this.#limits!, start, parts)
    if (stored.policyId !== undefined && stored.policyId !== this.lane.policyId) this.lane.reschedule(Date.now())
  }

  /** Before the first request: from here on Redis and this memory agree, whatever the old owner still does. */
  async #begin(): Promise<void> {
    const lane = this.lane!
    await this.checkpointer.write(lane, false, Date.now())
    this.state = afterFirstCheckpoint(this.state)
    if (this.state !== State.RUNNING) return
    const { topic, isolation } = this.#route!.plan
    const options = { readCommitted: isolation === 'READ_COMMITTED', bytesMax: this.#fetchBytes() }
    this.#partition = this.#parts.source.open(topic, this.id.partition, lane.window.tracker.cursor, options, this)
    if (this.#suspended) this.#parts.source.pause(this.#partition)
    this.#parts.ready(this)
  }

  /** A fetch of small records takes ten times its bytes in memory: one that is read on top of a full share must not double it. */
  #fetchBytes(): number {
    return Math.min(this.#parts.partitionBytesMax, Math.ceil(this.#limits!.bufferBytesMax / FETCHES_PER_SHARE))
  }

  /** Stops reading and sending; checkpoint() releases the lane when nothing is on its way any more. */
  drain(): void {
    const before = this.state
    this.state = afterDrain(before, this.lane !== undefined)
    if (this.state === before) return
    if (this.state === State.RELEASED) this.#parts.letGo(this)
    else this.#stop()
  }

  /** Lets go at once: the state is another's, or the lease is over. Rows that are on their way are still inserted. */
  lose(message: string, seenEpoch: number): void {
    if (!this.held) return
    this.state = State.LOST
    this.troubles.start = { condition: LaneCondition.UNSPECIFIED, message }
    this.seenEpoch = Math.max(this.seenEpoch, seenEpoch)
    this.#stop()
    this.#parts.log.warn({ lane: this.key, epoch: this.epoch, reason: message }, 'lane: lost')
    this.#parts.letGo(this)
  }

  #stop(): void {
    if (this.#partition !== undefined) this.#parts.source.close(this.#partition)
    this.#partition = undefined
    if (this.lane === undefined) return
    this.lane.stopped = true
    this.lane.intake.clear()
  }

  /** The lease is over: reads nothing until resume(). */
  suspend(): void {
    this.#suspended = true
    if (this.#partition !== undefined) this.#parts.source.pause(this.#partition)
  }

  /** The lease is renewed: the lane goes on with its memory, unless Redis says that it is another's by now. */
  resume(): void {
    this.#suspended = false
    this.checkpointer.prove()
    if (this.#partition !== undefined) this.#throttle(this.lane!)
  }

  /** Whether records may be sent: not while Redis is behind, so that memory stays bounded. */
  get maySend(): boolean {
    return this.state === State.RUNNING && this.lane!.parking.unstoredBytes < this.#parts.unstoredBytesMax
  }

  /** Whether a checkpoint should not wait for its time. */
  get isUrgent(): boolean {
    const { checkpointer, lane } = this
    return checkpointer.isBehind || checkpointer.taken.length > 0 || (lane?.parking.storableBytes ?? 0) > EARLY_BYTES
  }

  /** Nothing of the lane is on its way: neither requests nor rows. */
  get #isFinished(): boolean {
    return this.state === State.DRAINING && this.lane!.inFlight === 0 && this.lane!.rowsOut === 0
  }

  /** Called about once a second, and sooner when much waits to be stored. */
  async checkpoint(): Promise<void> {
    const { lane } = this
    if (lane === undefined || this.checkpointer.isWriting) return
    if (this.state !== State.RUNNING && this.state !== State.DRAINING) return
    try {
      const isReleased = await this.checkpointer.write(lane, this.#isFinished, Date.now())
      this.#failingSince = 0
      this.troubles.state = undefined
      this.state = afterCheckpoint(this.state, isReleased)
      if (this.state === State.RELEASED) {
        this.releasedVersion = this.laneState.version
        this.#parts.letGo(this)
      } else this.#parts.ready(this)
    } catch (error) {
      if (error instanceof RefusedError) return this.lose(error.message, error.seenEpoch)
      this.#failingSince ||= performance.now()
      if (performance.now() - this.#failingSince > TROUBLE_MS) this.troubles.state = `Redis: ${String(error)}`
    }
  }

  // PartitionSink
  read(chunks: readonly Chunk[], next: number, endOffset: number): void {
    const { lane } = this
    if (lane === undefined || this.state !== State.RUNNING) return
    this.#hasReadAll ||= next >= this.#readTo
    if (this.#hasReadAll) lane.feed(cutChunks(chunks, this.#readTo), this.#readTo)
    else lane.feed(chunks, Math.min(endOffset, this.#readTo))
    this.#throttle(lane)
    if (chunks.length > 0) this.#parts.ready(this)
  }

  /** Pauses reading while enough waits. With nothing in the intake one more fetch is always read, whatever hangs in the window. */
  #throttle(lane: Lane): void {
    const partition = this.#partition
    if (partition === undefined) return
    const { records } = lane.intake
    const { intakeRecordsMax, source } = this.#parts
    const fill = Math.max(records / intakeRecordsMax, lane.bufferedBytes / this.#limits!.bufferBytesMax)
    if (this.#suspended || this.#hasReadAll || (records > 0 && fill > 1)) source.pause(partition)
    else if (records === 0 || fill <= 0.5) source.resume(partition)
    lane.intake.isFull = partition.paused
  }

  /** Records may have left the intake: reading may go on. */
  thirst(): void {
    if (this.#partition?.paused) this.#throttle(this.lane!)
  }

  outOfRange(position: number, earliest: number, latest: number): number | undefined {
    const { lane } = this
    if (lane === undefined || this.state !== State.RUNNING) return undefined
    if (position > latest) {
      this.#halt(describeCut(this.id, position, latest))
      return undefined
    }
    const hole = { first: position, last: earliest - 1, kind: 'RETENTION' } as const
    lane.feed([{ hole, records: [], fetched: { bytes: 0, held: 0 } }], latest)
    this.#parts.log.error({ lane: this.key, ...hole }, "lane: Kafka's retention has deleted records that were not delivered")
    this.#parts.ready(this)
    return earliest
  }

  async bind(topicId: string): Promise<string> {
    const { redis, instance } = this.#parts
    this.topicId = await bindTopic(redis, this.id, this.epoch, instance, topicId)
    return this.topicId
  }

  recreated(topicId: string): void {
    this.#halt(describeRecreated(this.id, this.topicId ?? '', topicId))
  }

  /** Nothing is read any more; what waits is still delivered. */
  #halt(message: string): void {
    this.troubles.range = message
    this.#parts.log.error({ lane: this.key, problem: message }, 'lane: it reads no more until an operator decides')
  }

  trouble(message: string | undefined): void {
    const before = this.troubles.source
    this.troubles.source = message
    if (message === before) return
    if (message === undefined) this.#parts.log.info({ lane: this.key }, 'lane: its partition is read again')
    else this.#parts.log.warn({ lane: this.key, problem: message }, 'lane: its partition cannot be read now')
  }
}
