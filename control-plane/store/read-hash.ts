import { defineScript } from '../../runtime/redis.ts'

/**
 * Answers a hash of the control plane's only when something changed since change id ARGV[1], and nothing while Redis is not prepared:
 * that is not the same as having none. KEYS changes hash
 */
export const readHashScript = defineScript(`
local last = redis.call('HGET', KEYS[1], 'last')
if not last then return {} end
if last == ARGV[1] then return {last} end
return {last, redis.call('HGETALL', KEYS[2])}
`)
