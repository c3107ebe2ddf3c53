import { defineScript } from '../../runtime/redis.ts'

// Every script compares the leader's term with the highest that has been here, so that a former leader, frozen and continued,
// changes nothing. KEYS changes outbox

const fence = `
if redis.call('EXISTS', KEYS[1]) == 0 then return {'UNPREPARED'} end
if tonumber(redis.call('HGET', KEYS[1], 'term') or '0') > tonumber(ARGV[1]) then return {'DEPOSED'} end
redis.call('HSET', KEYS[1], 'term', ARGV[1])
`

/**
 * Answers the batch that is on its way, or makes one of the oldest entries. It stays the same until it is removed: a repeated
 * insert carries the same rows under the same token, whoever repeats it.
 *
 * ARGV term, most entries, most bytes (one entry goes in any case)
 */
export const freezeScript = defineScript(`${fence}
local drained = redis.call('HGET', KEYS[1], 'drained')
local frozen = redis.call('HGET', KEYS[1], 'frozen')
if frozen then
  local entries = redis.call('XRANGE', KEYS[2], '-', frozen .. '-0')
  if #entries > 0 then return {'BATCH', drained, entries} end
end
local entries = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', ARGV[2])
local batch = {}
local bytes = 0
for _, entry in ipairs(entries) do
  bytes = bytes + #entry[2][2]
  if #batch > 0 and bytes > tonumber(ARGV[3]) then break end
  batch[#batch + 1] = entry
end
if #batch == 0 then
  redis.call('HDEL', KEYS[1], 'frozen')
else
  redis.call('HSET', KEYS[1], 'frozen', (string.gsub(batch[#batch][1], '%-0$', '')))
end
return {'BATCH', drained, batch}
`)

/** Removes what ClickHouse has acknowledged, and answers `drained`. ARGV term, last change id of the batch, the first that stays */
export const removeScript = defineScript(`${fence}
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[3] .. '-0')
local drained = redis.call('HGET', KEYS[1], 'drained')
if tonumber(ARGV[2]) > tonumber(drained) then
  drained = ARGV[2]
  redis.call('HSET', KEYS[1], 'drained', drained)
end
redis.call('HDEL', KEYS[1], 'frozen')
return {'REMOVED', drained}
`)
