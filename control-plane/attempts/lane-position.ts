import { type LaneId, laneKeys, type ParkedEntry, type Run, readParked, readRuns } from '../../runtime/lane-keys.ts'
import type { Redis } from '../../runtime/redis.ts'
import { askRedis } from '../store/ask-redis.ts'

/** Where a lane is, by Redis. */
export interface LanePosition {
  /** Every record below is settled. */
  readonly cursor: number
  /** Every record below has an outcome in the log. */
  readonly floor: number
  /** Deliveries that wait, in any round. */
  readonly parked: number
}

/** What Redis says about one offset. */
export interface LaneView {
  /** Undefined when Redis has no state of the lane. */
  readonly cursor: number | undefined
  /** Settled and ended offsets above the cursor. */
  readonly ended: readonly Run[]
  readonly parked: ParkedEntry | undefined
}

const scanCount = 1000

/** Undefined when Redis has no state of the lane. */
export async function readCursor(redis: Redis, lane: LaneId): Promise<number | undefined> {
  const text = await askRedis(() => redis.hget(laneKeys(lane).lane, 'cursor'))
  return text === null ? undefined : Number(text)
}

/**
 * Undefined when Redis has no state of the lane. The cursor is read before what is parked: what is parked and settled in between
 * ended, and is in the log, so the floor is never above a record without an outcome.
 */
export async function readLanePosition(redis: Redis, lane: LaneId): Promise<LanePosition | undefined> {
  const keys = laneKeys(lane)
  const cursor = await readCursor(redis, lane)
  if (cursor === undefined) return undefined
  const parked = await askRedis(() => redis.hlen(keys.parked))
  let floor = cursor
  for (let scan = parked === 0 ? undefined : '0'; scan !== undefined; ) {
    const from: string = scan
    const [next, fields] = await askRedis(() => redis.hscan(keys.parked, from, 'COUNT', scanCount))
    for (let index = 0; index < fields.length; index += 2) {
      const offset = Number(fields[index])
      if (offset < floor && readParked(fields[index + 1]!).round === 0) floor = offset
    }
    scan = next === '0' ? undefined : next
  }
  return { cursor, floor, parked }
}

/** A lane with all that it has parked. */
export interface WholeLane {
  readonly cursor: number | undefined
  readonly ended: readonly Run[]
  readonly parked: ReadonlyMap<number, ParkedEntry>
}

/** The cursor is read first: what is settled in between is in the log. */
export async function readWholeLane(redis: Redis, lane: LaneId): Promise<WholeLane> {
  const keys = laneKeys(lane)
  const [cursor, ended] = await askRedis(() => redis.hmget(keys.lane, 'cursor', 'ended'))
  const parked = new Map<number, ParkedEntry>()
  for (let scan: string | undefined = '0'; scan !== undefined; ) {
    const from: string = scan
    const [next, fields] = await askRedis(() => redis.hscan(keys.parked, from, 'COUNT', scanCount))
    for (let index = 0; index < fields.length; index += 2) parked.set(Number(fields[index]), readParked(fields[index + 1]!))
    scan = next === '0' ? undefined : next
  }
  return { cursor: cursor == null ? undefined : Number(cursor), ended: readRuns(ended ?? ''), parked }
}

export async function readLaneView(redis: Redis, lane: LaneId, offset: number): Promise<LaneView> {
  const keys = laneKeys(lane)
  const [cursor, ended] = await askRedis(() => redis.hmget(keys.lane, 'cursor', 'ended'))
  const parked = await askRedis(() => redis.hget(keys.parked, String(offset)))
  return {
    cursor: cursor == null ? undefined : Number(cursor),
    ended: readRuns(ended ?? ''),
    parked: parked === null ? undefined : readParked(parked),
  }
}
