import { laneKeys } from '../../runtime/lane-keys.ts'
import type { Redis } from '../../runtime/redis.ts'
import { askRedis } from '../store/ask-redis.ts'
import { readLanePosition } from './lane-position.ts'
import { laneOf, type Subject } from './subject.ts'

/** How far a lane is, and of which topic. */
export interface LaneFloor {
  /** Every record below has an outcome in the log. */
  readonly floor: number
  /** The topic that its offsets belong to; empty while that is not known. */
  readonly topicId: string
}

const lanesAtOnce = 16

/** By partition; lanes that Redis has no state of are left out. */
export async function readFloors(redis: Redis, subject: Subject, partitions: readonly number[]): Promise<Map<number, LaneFloor>> {
  const floors = new Map<number, LaneFloor>()
  const read = async (partition: number): Promise<void> => {
    const lane = laneOf(subject, partition)
    const position = await readLanePosition(redis, lane)
    if (position === undefined) return
    const topicId = (await askRedis(() => redis.hget(laneKeys(lane).lane, 'topic'))) ?? ''
    floors.set(partition, { floor: position.floor, topicId })
  }
  for (let index = 0; index < partitions.length; index += lanesAtOnce)
    await Promise.all(partitions.slice(index, index + lanesAtOnce).map(read))
  return floors
}
