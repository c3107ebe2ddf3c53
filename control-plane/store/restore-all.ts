import { defineScript } from '../../runtime/redis.ts'
import { mark, type RestoreOptions, restoreOne, restoreTokens } from './restore.ts'
import { StoreError } from './store-error.ts'

// The leader restores what Redis has lost when it can tell that something was lost: Redis is empty, or its last change id is below
// the audit's. It cannot tell a definition that alone is gone or old, by a hand or a broken disk. This compares every one of them.

/** KEYS changes outbox */
const headScript = defineScript(`
local head = redis.call('HMGET', KEYS[1], 'last', 'term')
return {head[1] or '', head[2] or '0', redis.call('XLEN', KEYS[2])}
`)

const triesMax = 5

/**
 * Compares every definition and token with the audit, also beside control planes that run, and puts back what Redis lacks or has older; what
 * the audit says was removed goes. Answers the names of those that differed. Throws StoreError.
 */
export async function restoreAll(options: RestoreOptions): Promise<readonly string[]> {
  const differed = new Set<string>()
  for (let tries = 0; tries < triesMax; tries++) if (await tryAll(options, differed)) return [...differed].sort()
  throw new StoreError('STATE_UNAVAILABLE', 'use cases change all the time: run it again in a quieter moment')
}

/** False: a change came in between, and what the audit said may be old. */
async function tryAll(options: RestoreOptions, differed: Set<string>): Promise<boolean> {
  const { redis, keys, auditLog } = options
  const reply = (await headScript(redis, [keys.changes, keys.outbox], [])) as [Buffer, Buffer, number]
  const [last, term] = reply.map(String) as [string, string]
  const waiting = reply[2]
  if (waiting > 0)
    throw new StoreError('LOG_UNAVAILABLE', `${waiting} changes wait to be written to the audit: run it again when they are`)
  const highest = await auditLog.highestChangeId()
  for (const change of await auditLog.latestSince(0)) {
    const done = await restoreOne(options, change, last)
    if (done === 'CHANGED') return false
    if (done === 'RESTORED') differed.add(change.name)
  }
  for (const name of await restoreTokens(options, 0)) differed.add(name)
  // Everybody reads again; and an empty Redis takes changes from now on.
  if (differed.size > 0 || last === '') await mark(options, highest, Number(term))
  return true
}
