import { defineScript } from '../../runtime/redis.ts'

/**
 * Lua: puts an entry for the audit into the outbox, and answers its change id.
 *
 * A change id is the last one + 1, or Redis' clock in milliseconds when that is higher: when Redis loses its last writes, ids that
 * ClickHouse already has are not given to other changes.
 */
export const appendChangeLua = `
local function appendChange(changes, outbox, entry)
  local time = redis.call('TIME')
  local last = tonumber(redis.call('HGET', changes, 'last'))
  local id = string.format('%.0f', math.max(last + 1, time[1] * 1000 + math.floor(time[2] / 1000)))
  redis.call('HSET', changes, 'last', id)
  redis.call('XADD', outbox, id .. '-0', 'change', entry)
  return id
end
`

/** Lua: why the audit takes no entry now; nil when it does. */
export const refuseAuditLua = `
local function refuseAudit(changes, outbox, entriesMax)
  if redis.call('EXISTS', changes) == 0 then return 'UNPREPARED' end
  if redis.call('XLEN', outbox) >= tonumber(entriesMax) then return 'OUTBOX_FULL' end
end
`

/**
 * The one way a definition changes: compare, set, index and outbox entry in one script.
 *
 * KEYS useCases uids descriptorSets changes outbox
 * ARGV name, uid and revision that are expected (both empty: there is none), definition (empty: remove), uid,
 *      SHA-256 of the descriptor set it names (or empty), outbox entry, most definitions, most outbox entries,
 *      most definitions of a namespace
 */
export const changeScript = defineScript(`${appendChangeLua}
local function inNamespace(useCases, name)
  local prefix = string.match(name, '^namespaces/[^/]+/')
  local count = 0
  for _, each in ipairs(redis.call('HKEYS', useCases)) do
    if string.sub(each, 1, #prefix) == prefix then count = count + 1 end
  end
  return count
end
if redis.call('EXISTS', KEYS[4]) == 0 then return {'UNPREPARED'} end
local current = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[2] == '' then
  if current then return {'CONFLICT', current} end
  if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[8]) then return {'USE_CASES_FULL'} end
  -- Only names are counted that could be too many.
  if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[10]) and inNamespace(KEYS[1], ARGV[1]) >= tonumber(ARGV[10]) then
    return {'NAMESPACE_FULL'}
  end
else
  if not current then return {'CONFLICT', ''} end
  local stored = cjson.decode(current)
  if stored.uid ~= ARGV[2] or stored.revision ~= ARGV[3] then return {'CONFLICT', current} end
end
if ARGV[6] ~= '' and redis.call('HEXISTS', KEYS[3], ARGV[6]) == 0 then return {'NO_DESCRIPTOR_SET'} end
if redis.call('XLEN', KEYS[5]) >= tonumber(ARGV[9]) then return {'OUTBOX_FULL'} end
if ARGV[4] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[5])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
  redis.call('HSET', KEYS[2], ARGV[5], ARGV[1])
end
return {'WRITTEN', appendChange(KEYS[4], KEYS[5], ARGV[7])}
`)
