import { leaseKey } from '../../runtime/lane-keys.ts'
import { defineScript, type Redis } from '../../runtime/redis.ts'

/**
 * The worker extends its key itself; this script marks a key that has run out. Two scripts on one key: exactly one wins.
 * KEYS lease  ARGV how long the mark stays, ms. Answers the ms that an alive lease has left, 0 when the instance is expelled.
 */
const expelScript = defineScript(`
if redis.call('GET', KEYS[1]) == 'alive' then return math.max(redis.call('PTTL', KEYS[1]), 1) end
redis.call('SET', KEYS[1], 'expelled', 'PX', ARGV[1])
return 0
`)

/** 0: from now on the instance can neither extend its lease nor begin another. Else the ms until it is worth trying again. */
export async function expel(redis: Redis, instance: string, expelledForMs: number): Promise<number> {
  return Number(await expelScript(redis, [leaseKey(instance)], [expelledForMs]))
}

/** Whether an instance has a lease, or was expelled, by an earlier leader for example. */
export async function readLease(redis: Redis, instance: string): Promise<'ALIVE' | 'EXPELLED' | 'NONE'> {
  const state = await redis.get(leaseKey(instance))
  return state === 'alive' ? 'ALIVE' : state === 'expelled' ? 'EXPELLED' : 'NONE'
}
