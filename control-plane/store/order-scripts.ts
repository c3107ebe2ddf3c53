import { defineScript } from '../../runtime/redis.ts'
import { appendChangeLua, refuseAuditLua } from './change-script.ts'

const prepared = `${appendChangeLua}${refuseAuditLua}`

/**
 * Makes an order, once per request id. The oldest ones beyond the kept ones go, unless they are active.
 *
 * KEYS orders active requests order orderOf changes outbox
 * ARGV id, order, created ms, request field (or empty), audit entry, most active, most kept of the use case, most outbox entries
 */
export const createScript = defineScript(`${prepared}
if ARGV[4] ~= '' then
  local first = redis.call('HGET', KEYS[3], ARGV[4])
  if first then return {'SAME', redis.call('HGET', KEYS[1], first)} end
end
if redis.call('SCARD', KEYS[2]) >= tonumber(ARGV[6]) then return {'ACTIVE_FULL'} end
local refused = refuseAudit(KEYS[6], KEYS[7], ARGV[8])
if refused then return {refused} end
local surplus = redis.call('ZCARD', KEYS[5]) + 1 - tonumber(ARGV[7])
if surplus > 0 then
  for _, old in ipairs(redis.call('ZRANGE', KEYS[5], 0, surplus - 1)) do
    if redis.call('SISMEMBER', KEYS[2], old) == 0 then
      local text = redis.call('HGET', KEYS[1], old)
      if text then
        local request = cjson.decode(text).request
        if type(request) == 'string' and request ~= '' then redis.call('HDEL', KEYS[3], request) end
      end
      redis.call('HDEL', KEYS[1], old)
      redis.call('ZREM', KEYS[4], old)
      redis.call('ZREM', KEYS[5], old)
    end
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[5], ARGV[3], ARGV[1])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[3], ARGV[4], ARGV[1]) end
appendChange(KEYS[6], KEYS[7], ARGV[5])
return {'WRITTEN'}
`)

/**
 * Puts an order in the place of the one with the expected revision.
 *
 * KEYS orders active changes outbox
 * ARGV id, expected revision, order, 1 while the leader has work with it, audit entry (or empty), most outbox entries
 */
export const replaceScript = defineScript(`${prepared}
local current = redis.call('HGET', KEYS[1], ARGV[1])
if not current then return {'CONFLICT', ''} end
if cjson.decode(current).revision ~= tonumber(ARGV[2]) then return {'CONFLICT', current} end
if ARGV[5] ~= '' then
  local refused = refuseAudit(KEYS[3], KEYS[4], ARGV[6])
  if refused then return {refused} end
  appendChange(KEYS[3], KEYS[4], ARGV[5])
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call(ARGV[4] == '1' and 'SADD' or 'SREM', KEYS[2], ARGV[1])
return {'WRITTEN'}
`)
