import { LaneCondition, LaneState as State } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { type LaneId, laneKey, writeRuns } from '../../runtime/lane-keys.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Redis } from '../../runtime/redis.ts'
import type { Route } from '../deliver/route.ts'
import type { Chunk, Partition, PartitionSink } from '../source/partition.ts'
import type { Source } from '../source/source.ts'
import { type Draft, draftCheckpoint, type SavedPosition } from './checkpoint-draft.ts'
import { Lane, type LaneLimits, type LaneParts } from './lane.ts'
import { LaneState, RefusedError } from './lane-state.ts'
import { NeedsDecisionError, type TakeoverParts, takeOver } from './takeover.ts'

// One lane that this worker holds, from its claim to its release.
//
//   state    | does                                            | next
//   STARTING | claims, asks the log, writes a first checkpoint | RUNNING; LOST when refused
//   RUNNING  | reads, delivers, writes checkpoints             | DRAINING when told; LOST when a checkpoint is refused
//   DRAINING | reads nothing, sends nothing, waits for rows    | RELEASED after a last, clean checkpoint; LOST
//   RELEASED | nothing                                         | forgotten when the control plane has heard of it
//   LOST     | nothing; its requests are aborted               | forgotten when the control plane has heard of it

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
  /** Tells the use case's roster that there may be something to send. */
  readonly changed: (keeper: Keeper) => void
  readonly abort: (keeper: Keeper) => void
}

export class Keeper implements PartitionSink {
  readonly id: LaneId
  readonly key: string
  readonly epoch: number
  state: State = State.STARTING
  condition: LaneCondition = LaneCondition.UNSPECIFIED
  message = ''
  lane: Lane | undefined
  laneState: LaneState
  /** Version of the last checkpoint when it was clean, else 0. */
  releasedVersion = 0
  seenEpoch = 0
  /** Inbox fields that the next checkpoint removes. */
  taken: string[] = []
  /** Group commit: the last one that was made. */
  committed = ''
  readonly #parts: KeeperParts
  #route: Route
  #limits: LaneLimits
  #partition: Partition | undefined
  #saved: SavedPosition = { cursor: -1, ended: '' }
  #pending: Draft | undefined
  #writing = false
  #failingSince = 0

  constructor(id: LaneId, epoch: number, route: Route, limits: LaneLimits, parts: KeeperParts) {
    this.id = id
    this.key = laneKey(id)
    this.epoch = epoch
    this.#route = route
    this.#limits = limits
    this.#parts = parts
    this.laneState = new LaneState(parts.redis, id, epoch, parts.instance)
  }

  get held(): boolean {
    return this.state === State.STARTING || this.state === State.RUNNING || this.state === State.DRAINING
  }

  reroute(route: Route, limits: LaneLimits): void {
    this.#route = route
    Object.assign(this.#limits, limits)
    if (this.lane && this.lane.route !== route) this.lane.reroute(route)
  }

  /** Claims the lane and starts it; releasedVersion as the control plane named it, 0: unknown. Tries until told otherwise. */
  async start(releasedVersion: number): Promise<void> {
    for (let failures = 0; this.state === State.STARTING; failures++) {
      try {
        const stored = await this.laneState.claim()
        const start = await takeOver(this.id, this.#route.plan, stored, releasedVersion, this.#limits.creditMax, this.#parts)
        this.lane = new Lane(this.id, this.epoch, this.#route, this.#limits, start, this.#parts)
        // Before the first request: from here on Redis and this memory agree, whatever the old owner still does.
        await this.#write(this.lane, this.#draft(this.lane, false) ?? neverUndefined())
        if (this.state !== State.STARTING) return
        this.state = State.RUNNING
        this.condition = LaneCondition.UNSPECIFIED
        this.message = ''
        const { topic, isolation } = this.#route.plan
        this.#partition = this.#parts.source.open(
          topic,
          this.id.partition,
          start.cursor,
          { readCommitted: isolation === 'READ_COMMITTED', bytesMax: this.#parts.partitionBytesMax },
          this,
        )
        this.#parts.changed(this)
        return
      } catch (error) {
        if (error instanceof RefusedError) return this.lose(error.message, error.seenEpoch)
        const decision = error instanceof NeedsDecisionError
        this.condition = decision ? LaneCondition.NEEDS_DECISION : LaneCondition.STATE_UNAVAILABLE
        this.message = String(error)
        if (failures === 0) this.#parts.log.warn({ lane: this.key, error: String(error) }, 'lane: cannot start, trying again')
        await new Promise((resolve) => setTimeout(resolve, Math.min(100 * 2 ** failures, 2000)))
      }
    }
  }

  /** Stops reading and sending; finish() releases the lane when nothing is on its way any more. */
  drain(): void {
    if (this.state === State.STARTING) this.lose('told to drain before it had started', 0)
    if (this.state !== State.RUNNING) return
    this.state = State.DRAINING
    this.lane!.stopped = true
    this.#closeSource()
    this.lane!.intake.clear()
  }

  /** Lets go at once: the state is another's, or the lease is over. Rows that are on their way are still inserted. */
  lose(message: string, seenEpoch: number): void {
    if (!this.held) return
    this.state = State.LOST
    this.message = message
    this.seenEpoch = Math.max(this.seenEpoch, seenEpoch)
    this.#closeSource()
    if (this.lane) {
      this.lane.stopped = true
      this.lane.intake.clear()
    }
    this.#parts.log.warn({ lane: this.key, epoch: this.epoch, reason: message }, 'lane: lost')
    this.#parts.abort(this)
  }

  #closeSource(): void {
    if (this.#partition) this.#parts.source.close(this.#partition)
    this.#partition = undefined
  }

  /** Whether records may be sent: not while Redis is behind, so that memory stays bounded. */
  get maySend(): boolean {
    return this.state === State.RUNNING && this.lane!.parking.unstoredBytes < this.#parts.unstoredBytesMax
  }

  /** Called about once a second, and sooner when much waits to be stored. */
  async checkpoint(): Promise<void> {
    const { lane } = this
    if (lane === undefined || this.#writing || (this.state !== State.RUNNING && this.state !== State.DRAINING)) return
    this.#writing = true
    try {
      const finished = this.state === State.DRAINING && lane.inFlight === 0 && lane.rowsOut === 0
      const draft = this.#pending ?? this.#draft(lane, finished)
      if (draft === undefined) return
      await this.#write(lane, draft)
      this.#failingSince = 0
      if (this.condition === LaneCondition.STATE_UNAVAILABLE) this.condition = LaneCondition.UNSPECIFIED
      if (draft.checkpoint.clean && this.state === State.DRAINING) {
        this.releasedVersion = this.laneState.version
        this.state = State.RELEASED
        this.#parts.changed(this)
      }
    } catch (error) {
      if (error instanceof RefusedError) return this.lose(error.message, error.seenEpoch)
      this.#failingSince ||= Date.now()
      if (Date.now() - this.#failingSince > 2000) {
        this.condition = LaneCondition.STATE_UNAVAILABLE
        this.message = `Redis: ${String(error)}`
      }
    } finally {
      this.#writing = false
    }
  }

  #draft(lane: Lane, clean: boolean): Draft | undefined {
    const first = this.#saved.cursor < 0
    const saved = first ? { cursor: lane.window.tracker.cursor, ended: writeRuns(lane.unread) } : this.#saved
    const draft = draftCheckpoint(lane, saved, this.taken, clean || first, Date.now())
    if (draft === undefined) return undefined
    if (draft.whole) this.taken = []
    return first ? { ...draft, checkpoint: { ...draft.checkpoint, clean: false } } : draft
  }

  /** The SAME checkpoint until it is answered: its reply may have been lost. */
  async #write(lane: Lane, draft: Draft): Promise<void> {
    this.#pending = draft
    await this.laneState.checkpoint(draft.checkpoint)
    this.#pending = undefined
    this.#saved = draft.checkpoint
    for (const { entry, generation } of draft.included) {
      lane.parking.storedAs(entry, generation)
      if (entry.where === 'R' && !entry.sending) entry.packed = undefined
    }
    for (const offset of draft.checkpoint.removed) lane.parking.forgotten(offset)
    this.#parts.changed(this)
  }

  // PartitionSink
  read(chunks: readonly Chunk[], _next: number, endOffset: number): void {
    const { lane } = this
    if (lane === undefined || this.state !== State.RUNNING) return
    lane.feed(chunks, endOffset)
    this.#throttle(lane)
    if (chunks.length > 0) this.#parts.changed(this)
  }

  #throttle(lane: Lane): void {
    const { records, bytes } = lane.intake
    const partition = this.#partition
    if (partition === undefined) return
    if (records > this.#parts.intakeRecordsMax || bytes > this.#limits.bufferBytesMax) this.#parts.source.pause(partition)
    else if (partition.paused && records * 2 < this.#parts.intakeRecordsMax && bytes * 2 <= this.#limits.bufferBytesMax)
      this.#parts.source.resume(partition)
  }

  /** Records have left the intake: reading may go on. */
  thirst(): void {
    if (this.lane && this.#partition?.paused) this.#throttle(this.lane)
  }

  outOfRange(position: number, earliest: number, latest: number): number | undefined {
    const { lane } = this
    if (lane === undefined || this.state !== State.RUNNING) return undefined
    if (position > latest) {
      this.condition = LaneCondition.SOURCE_ERROR
      this.message = `Kafka ends at offset ${latest}, before the lane's position ${position}: the topic was recreated, or has lost records`
      return undefined
    }
    lane.feed(
      [{ hole: { first: position, last: earliest - 1, kind: 'RETENTION' }, records: [], fetched: { bytes: 0, held: 0 } }],
      latest,
    )
    this.#parts.log.error(
      { lane: this.key, first: position, last: earliest - 1 },
      "lane: Kafka's retention has deleted records that were not delivered",
    )
    this.#parts.changed(this)
    return earliest
  }

  trouble(message: string | undefined): void {
    this.condition = message === undefined ? LaneCondition.UNSPECIFIED : LaneCondition.SOURCE_ERROR
    this.message = message ?? ''
  }
}

function neverUndefined(): never {
  throw new Error('a first checkpoint always has something to say')
}
