import { Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { Route } from '../deliver/route.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import type { Landed } from './answer.ts'
import { Batcher } from './batcher.ts'
import { Checkpointer } from './checkpointer.ts'
import { groupPosition } from './floor.ts'
import { landBatch } from './land-batch.ts'
import { Lane } from './lane.ts'
import type { WorldKafka, WorldLog, WorldRedis } from './lane-world.ts'
import { Load } from './load.ts'
import type { LoggedEnd, LogKnowledge } from './look-up.ts'
import { unpackRecord } from './packed-record.ts'
import type { Parked } from './parked.ts'
import { RetryDesk } from './retry-desk.ts'
import { startLane } from './start-lane.ts'
import { baseOfGroup } from './takeover.ts'

export interface World {
  readonly kafka: WorldKafka
  redis: WorldRedis
  readonly log: WorldLog
  readonly route: Route
  readonly limits: { parkedMax: number; parkedBytesMax: number; creditMax: number; bufferBytesMax: number }
  /** Everything that reached the endpoint, in order. */
  readonly arrivals: { offset: number; epoch: number; round: number; attempt: number }[]
  nowMs: number
}

/** SOME: of a batch one record is not taken; a single record is. */
export type Reply = 'OK' | 'SOME' | 'BUSY' | 'BAD' | 'TIMEOUT' | 'ABORTED'

const statuses = { OK: 200, SOME: 200, BUSY: 503, BAD: 422, TIMEOUT: 0, ABORTED: 0 } as const
const NONE = Buffer.alloc(0)

/** For tests: one owner of a lane, in a world. What the worker's timers do, a test does here. */
export class LaneDriver {
  readonly lane: Lane
  readonly #world: World
  readonly #checkpointer: Checkpointer
  readonly #desk: RetryDesk
  readonly #batcher = new Batcher()
  readonly #epoch: number
  readonly flights: Load[] = []
  #version: number
  #position: number
  /** The next reply of Redis is lost. */
  losesReply = false

  /** releasedVersion: as START names it. group: Redis has lost the lane, and this is what Kafka has. */
  constructor(
    world: World,
    epoch: number,
    releasedVersion: number,
    logIsAway = false,
    group?: { floor: number; metadata: string },
  ) {
    const { redis, log, route, limits } = world
    this.#world = world
    this.#epoch = epoch
    const isClean = redis.clean && redis.version === releasedVersion
    redis.epoch = epoch
    redis.clean = false
    this.#version = redis.version
    const { cursor, ended, savedMs, writer, credit } = redis
    const stored = { cursor, ended, parked: redis.parkedEntries(), savedMs, writer, credit, clean: isClean }
    const base = group === undefined ? stored : baseOfGroup(group.floor, group.metadata)
    const { ordering } = route.plan
    const knowledge = isClean || logIsAway ? undefined : lookUp(log, ordering === 'UNORDERED' ? 0 : base.writer)
    const start = startLane(base, knowledge, ordering, limits.creditMax, world.nowMs)
    const id = { uid: 'u1', cluster: 'default', topic: 't', partition: 0 }
    this.lane = new Lane(id, epoch, route, limits, start, {
      attempts: {
        add: (_encoded, row, owner, slot, entry) => {
          const { offset, round, attempt, outcome } = row
          log.add({ offset, round, attempt, outcome, epoch }, owner, slot, entry)
        },
      },
      ranges: { add: (_id, _lane, _epoch, _kind, run, owner, slot) => log.addRange(run, owner, slot) },
      ...{ instance: 'i', nextRequestId: () => 1, windowRecords: 16 },
    })
    this.#position = base.cursor
    this.#checkpointer = new Checkpointer({
      checkpoint: async (checkpoint) => {
        redis.apply(epoch, this.#version, checkpoint)
        if (this.losesReply) {
          this.losesReply = false
          throw new Error('the reply was lost')
        }
        this.#version++
      },
    })
    this.#desk = new RetryDesk(
      this.lane,
      {
        redis: async (offsets) => offsets.map((offset) => redis.bytes.get(offset)),
        kafka: async (offsets, take) => {
          for (const offset of offsets) {
            const record = world.kafka.record(offset)
            if (record !== undefined) take(record, offset)
          }
        },
        payloads: async () => new Map(),
        lastEnds: async () => new Map(),
      },
      { warn: () => {} },
    )
  }

  get mayRead(): boolean {
    return this.lane.intake.records <= 8 && this.#position < this.#world.kafka.end
  }

  read(count: number): void {
    if (!this.mayRead) return
    const { chunks, next } = this.#world.kafka.fetch(this.#position, count)
    if (chunks.length === 0) return
    this.#position = next
    this.lane.feed(chunks, this.#world.kafka.end)
  }

  /** Sends one record or batch, if one may go; prefers what waits. */
  send(retryFirst: boolean): boolean {
    const load = new Load()
    const isTaken = retryFirst ? this.#takeRetry(load) || this.#takeFresh(load) : this.#takeFresh(load) || this.#takeRetry(load)
    if (!isTaken) return false
    if (load.batch === undefined && !this.#decode(load)) return false
    for (const { row } of carriedBy(load)) {
      const { offset, round, attempt } = row
      this.#world.arrivals.push({ offset, epoch: this.#epoch, round, attempt })
    }
    this.flights.push(load)
    return true
  }

  /** False when it waits for its schema, or has waited for it and is left out by the filter. */
  #decode(load: Load): boolean {
    if (this.lane.decode(load, this.#world.nowMs)) return true
    if (this.#world.kafka.hasSchemas) return false
    throw new Error('the record does not decode')
  }

  #takeFresh(load: Load): boolean {
    const { batch } = this.#world.route.plan
    if (batch === undefined) return this.lane.takeFresh(load)
    return this.#batcher.takeFresh(load, this.lane, batch, 0, this.#world.nowMs)
  }

  #takeRetry(load: Load): boolean {
    const { batch } = this.#world.route.plan
    const recordOf = (entry: Parked): KafkaRecord => unpackRecord(entry.packed!, entry.offset)
    if (batch === undefined) return this.lane.takeRetry(load, recordOf)
    return this.#batcher.takeRetry(load, this.lane, batch, recordOf, this.#world.nowMs)
  }

  /** Answers the offsets whose deliveries have ended with it. */
  reply(index: number, reply: Reply): number[] {
    const [load] = this.flights.splice(index % Math.max(1, this.flights.length), 1)
    if (load === undefined) return []
    const carried = carriedBy(load)
    const offsets = carried.map(({ row }) => row.offset)
    const failures = [{ index: index % carried.length, retry: index % 2 === 0 }]
    const responseBody = reply === 'SOME' && load.batch !== undefined ? Buffer.from(JSON.stringify({ failures })) : NONE
    const land = (flight: Landed<Load>): void => {
      if (load.batch === undefined) this.lane.landed(flight, this.#world.nowMs)
      else landBatch(this.lane, flight, this.#world.nowMs)
    }
    land({
      ...{ load, status: statuses[reply], error: undefined, responseHeaders: [], responseBody },
      responseBytes: responseBody.length,
      cut: reply === 'TIMEOUT' || reply === 'ABORTED' ? reply : undefined,
      ...{ sentAt: 0, endedAt: 1 },
    })
    return offsets.filter((_, at) => carried[at]!.row.outcome !== Outcome.RETRY)
  }

  /** What a sweep does with requests that hang. */
  letPass(): void {
    for (const load of this.flights) {
      if (this.holdsUp(load)) for (const each of carriedBy(load)) this.lane.letPass(each, this.#world.nowMs)
    }
  }

  holdsUp(load: Load): boolean {
    return carriedBy(load).some((each) => this.lane.isHeldUpBy(each))
  }

  async prepareRetries(): Promise<void> {
    await this.#desk.prepare(this.#world.nowMs)
  }

  /** Answers whether the lane is released. */
  async checkpoint(): Promise<boolean> {
    const { lane } = this
    const isFinished = lane.stopped && lane.inFlight === 0 && lane.rowsOut === 0
    return this.#checkpointer.write(lane, isFinished, this.#world.nowMs).catch((error: Error) => {
      if (/lost/.test(error.message)) return false
      throw error
    })
  }

  drain(): void {
    this.lane.stopped = true
    this.lane.intake.clear()
  }

  get version(): number {
    return this.#version
  }

  groupPosition(): { floor: number; metadata: string } {
    return groupPosition(this.lane, 4096)
  }
}

/** The deliveries of a request. */
export const carriedBy = (load: Load): readonly Load[] => load.batch?.items ?? [load]

/** What lookUp asks of ClickHouse. */
function lookUp(log: WorldLog, fromEpoch: number): LogKnowledge {
  const ended = new Map<number, LoggedEnd>()
  const attempts = new Map<number, { round: number; attempt: number }>()
  const sent = new Map<number, number>()
  for (const { offset, outcome, round, attempt, epoch } of log.rows) {
    if (outcome === Outcome.RETRY) {
      const before = attempts.get(offset)
      if (before === undefined || round > before.round || (round === before.round && attempt > before.attempt))
        attempts.set(offset, { round, attempt })
      sent.set(offset, Math.max(epoch, sent.get(offset) ?? 0))
    } else if (epoch >= fromEpoch) {
      const before = ended.get(offset) ?? { round, epoch, sentEpoch: 0 }
      ended.set(offset, { ...before, round: Math.max(round, before.round), epoch: Math.max(epoch, before.epoch) })
    }
  }
  for (const [offset, end] of ended) ended.set(offset, { ...end, sentEpoch: Math.max(end.epoch, sent.get(offset) ?? 0) })
  return { ended, attempts }
}
