import { Redis } from 'ioredis'
import type { ControlPlane } from '../../deploy/local/fleet.ts'
import type { LaneId } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { Fleet } from './fleet.ts'

async function ask<T>(fleet: Fleet, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(fleet.stack.redisUrl)
  try {
    return await question(redis)
  } finally {
    redis.disconnect()
  }
}

/** Which control plane leads, as Redis has it (docs/state.md). Throws when none of the fleet's does. */
export async function leaderOf(fleet: Fleet): Promise<ControlPlane> {
  const address = await ask(fleet, (redis) => redis.hget('ferry:{control}:leader', 'address'))
  const leader = fleet.controlPlanes.find((each) => each.grpcAddress === address)
  if (leader === undefined) throw new Error(`no control plane of this fleet leads, but ${address}`)
  return leader
}

/** Redis is empty from one moment to the next, as after a disk that was lost; it knows no script either. */
export async function loseEverything(fleet: Fleet): Promise<void> {
  await ask(fleet, async (redis) => {
    await redis.flushall()
    await redis.script('FLUSH')
  })
}

/** A lane's state, as Redis has it (docs/state.md). */
export const storedLane = (fleet: Fleet, { uid, cluster, topic, partition }: LaneId): Promise<Record<string, string>> =>
  ask(fleet, (redis) => redis.hgetall(`ferry:{${uid}/${cluster}/${topic}/${partition}}:lane`))
