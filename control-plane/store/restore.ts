import type { Logger } from '../../runtime/log.ts'
import { defineScript, type Redis } from '../../runtime/redis.ts'
import type { AuditLog, LatestChange } from './audit-log.ts'
import { descriptorSetOf, readUseCase } from './change.ts'
import type { ControlKeys } from './control-keys.ts'
import { StoreError } from './store-error.ts'

/**
 * Puts one definition back unless what is there is as new, or another use case of the name.
 * KEYS useCases uids changes  ARGV name, uid, revision, definition (empty: it was removed), last change id that it holds for (or any)
 */
const restoreOneScript = defineScript(`
if ARGV[5] ~= 'any' and (redis.call('HGET', KEYS[3], 'last') or '') ~= ARGV[5] then return 'CHANGED' end
local current = redis.call('HGET', KEYS[1], ARGV[1])
if current then
  local stored = cjson.decode(current)
  if stored.uid ~= ARGV[2] then return 'OTHER' end
  if tonumber(stored.revision) >= tonumber(ARGV[3]) and ARGV[4] ~= '' then return 'AS_NEW' end
end
if ARGV[4] == '' then
  if not current then return 'AS_NEW' end
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[2])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[1])
end
return 'RESTORED'
`)

/**
 * Marks Redis as compared with the audit up to a change id; from then on changes are accepted. `last` grows in any case, so that
 * everybody reads again. KEYS changes  ARGV change id, term
 */
const markScript = defineScript(`
if tonumber(redis.call('HGET', KEYS[1], 'term') or '0') > tonumber(ARGV[2]) then return 'DEPOSED' end
local last = tonumber(redis.call('HGET', KEYS[1], 'last') or '0')
local drained = tonumber(redis.call('HGET', KEYS[1], 'drained') or '0')
redis.call('HSET', KEYS[1], 'term', ARGV[2], 'last', string.format('%.0f', math.max(last, ARGV[1]) + 1),
  'drained', string.format('%.0f', math.max(drained, ARGV[1])))
return 'MARKED'
`)

export interface RestoreOptions {
  readonly redis: Redis
  readonly keys: ControlKeys
  readonly auditLog: AuditLog
  readonly log: Logger
}

/**
 * Compares Redis with the audit and puts back what Redis has lost: all definitions when it is empty, else those changed since the
 * last batch that it remembers. Answers how many. Called by the leader when it starts and when Redis is not as it left it.
 */
export async function restore(options: RestoreOptions, term: number): Promise<number> {
  const { redis, keys, auditLog, log } = options
  const highest = await auditLog.highestChangeId()
  const drainedText = await redis.hget(keys.changes, 'drained')
  const drained = Number(drainedText ?? 0)
  if (drainedText !== null && highest <= drained) return 0
  // Inserted, and not yet removed from the outbox: nothing is lost.
  if (drainedText !== null && (await redis.xrange(keys.outbox, `${highest}-0`, `${highest}-0`)).length > 0) return 0
  const lost = await auditLog.latestSince(drained)
  let restored = 0
  for (const change of lost) if ((await restoreOne(options, change)) === 'RESTORED' && change.after !== '') restored++
  const tokens = (await restoreTokens(options, drained)).length
  await mark(options, highest, term)
  if (restored + tokens > 0)
    log.warn({ restored, tokens, highest, drained }, 'store: Redis had lost definitions or tokens; restored from the audit')
  return restored
}

/** Answers whether it was put back. What is revoked stays so. KEYS tokens  ARGV id, token */
const restoreTokenScript = defineScript(`
local current = redis.call('HGET', KEYS[1], ARGV[1])
if current == ARGV[2] then return 0 end
if current and cjson.decode(current).token.revokeTime then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
`)

/**
 * Puts tokens back whose changes above the given id Redis has lost: what was revoked is revoked again, and workers are known again.
 * Answers their names.
 */
export async function restoreTokens({ redis, keys, auditLog }: RestoreOptions, since: number): Promise<string[]> {
  const restored: string[] = []
  for (const { id, after } of await auditLog.latestTokensSince(since))
    if (Number(await restoreTokenScript(redis, [keys.tokens], [id, after])) === 1) restored.push(`tokens/${id}`)
  return restored
}

/** Redis is as the audit has it up to a change id. */
export async function mark({ redis, keys }: RestoreOptions, changeId: number, term: number): Promise<void> {
  const marked = String(await markScript(redis, [keys.changes], [changeId, term]))
  if (marked === 'DEPOSED') throw new StoreError('STATE_UNAVAILABLE', 'another replica leads')
}

/** `last`: only while this is the last change id that Redis has given, so that nothing newer is put back in time. */
export async function restoreOne(options: RestoreOptions, change: LatestChange, last = 'any'): Promise<RestoredOne> {
  const { redis, keys, auditLog, log } = options
  const sha256 = change.after === '' ? undefined : descriptorSetOf(readUseCase(change.after))
  if (sha256 && (await redis.hexists(keys.descriptorSets, sha256)) === 0) {
    const bytes = await auditLog.readDescriptorSet(sha256)
    if (bytes) await redis.hset(keys.descriptorSets, sha256, Buffer.from(bytes))
    else log.error({ useCase: change.name, sha256 }, 'store: the audit has no such descriptor set; give it again with an update')
  }
  const args = [change.name, change.uid, String(change.revision), change.after, last]
  const done = String(await restoreOneScript(redis, [keys.useCases, keys.uids, keys.changes], args)) as RestoredOne
  if (done === 'OTHER')
    log.error({ useCase: change.name, uid: change.uid }, 'store: lost, and its name was given to another since')
  return done
}

/** OTHER: the name is another use case's by now. CHANGED: a change came in between. */
type RestoredOne = 'RESTORED' | 'AS_NEW' | 'OTHER' | 'CHANGED'
