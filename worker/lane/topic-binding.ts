import { type LaneId, laneKeys } from '../../runtime/lane-keys.ts'
import { defineScript, type Redis, requireConnection } from '../../runtime/redis.ts'
import { RefusedError } from './lane-state.ts'

/** KEYS lane  ARGV epoch, owner, topic id. The first topic id stays for the lane's life. */
const bindScript = defineScript(`
local lane = redis.call('HMGET', KEYS[1], 'epoch', 'owner', 'topic')
if lane[1] ~= ARGV[1] or lane[2] ~= ARGV[2] then return {'REFUSED', lane[1]} end
if lane[3] and lane[3] ~= '' then return {'BOUND', lane[3]} end
redis.call('HSET', KEYS[1], 'topic', ARGV[3])
return {'BOUND', ARGV[3]}
`)

/**
 * Binds a lane to the topic that its offsets belong to, unless it is bound already; answers which one that is. Before its owner
 * reads: so a topic that is deleted and created again is told from the old one, whoever owns the lane by then. Throws RefusedError
 * when the lane is another's.
 */
export async function bindTopic(redis: Redis, id: LaneId, epoch: number, owner: string, topicId: string): Promise<string> {
  // A broker before Kafka 3.1 says no ids.
  if (topicId === '') return ''
  requireConnection(redis)
  const [kind, text] = (await bindScript(redis, [laneKeys(id).lane], [epoch, owner, topicId])) as Buffer[]
  if (String(kind) === 'REFUSED') throw new RefusedError(`the lane is held with epoch ${text}`, Number(text ?? 0))
  return String(text)
}
