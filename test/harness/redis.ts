import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { ControlPlane } from '../../deploy/local/fleet.ts'
import type { LaneId } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { Fleet } from './fleet.ts'

const watchMsMax = 20_000
const commandMsMax = 5000

const ask = <T>(fleet: Fleet, question: (redis: Redis) => Promise<T>): Promise<T> => askRedisAt(fleet.redisPort, question)

/** On a connection of its own, to any server of this machine. */
export async function askRedisAt<T>(port: number, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({ port, host: '127.0.0.1', commandTimeout: commandMsMax, maxRetriesPerRequest: 1 })
  // The question fails with it.
  redis.on('error', () => {})
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

/** Definitions alone are gone, and nothing else tells of it. */
export const loseDefinitions = (fleet: Fleet): Promise<unknown> =>
  ask(fleet, (redis) => redis.del('ferry:{control}:use-cases', 'ferry:{control}:uids'))

/** A lane's state, as Redis has it (docs/state.md). */
export const storedLane = (fleet: Fleet, { uid, cluster, topic, partition }: LaneId): Promise<Record<string, string>> =>
  ask(fleet, (redis) => redis.hgetall(`ferry:{${uid}/${cluster}/${topic}/${partition}}:lane`))

/** Looks at the lanes' states every few milliseconds, and resolves as soon as one is as it should be. */
export const watchLanes = (
  fleet: Fleet,
  lanes: readonly LaneId[],
  what: string,
  isIt: (stored: Record<string, string>, lane: LaneId) => boolean,
): Promise<void> =>
  ask(fleet, async (redis) => {
    const deadline = performance.now() + watchMsMax
    while (performance.now() < deadline) {
      const pipeline = redis.pipeline()
      for (const { uid, cluster, topic, partition } of lanes)
        pipeline.hgetall(`ferry:{${uid}/${cluster}/${topic}/${partition}}:lane`)
      const answers = (await pipeline.exec()) ?? []
      if (answers.some(([, stored], at) => isIt(stored as Record<string, string>, lanes[at]!))) return
      await sleep(2)
    }
    throw new Error(`not within ${watchMsMax / 1000} s: ${what}`)
  })
