import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineScript, type Redis } from '../../runtime/redis.ts'
import type { ControlKeys } from './control-keys.ts'
import { StoreError } from './store-error.ts'

const extendScript = defineScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`)

const releaseScript = defineScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`)

export interface MigrationLockOptions {
  readonly redis: Redis
  readonly keys: ControlKeys
  /** The lock of a process that died is free after this. */
  readonly ttlMs: number
  /** Longest wait for another's work. */
  readonly waitTimeoutMs: number
}

const pollMs = 200

/**
 * One control plane at a time, so that several that start at once do not do the same work side by side. A convenience, not a
 * fence: should the lock be lost, two do the same statements, and each statement does nothing the second time.
 */
export function migrationLock(options: MigrationLockOptions): <T>(work: () => Promise<T>) => Promise<T> {
  const { redis, keys, ttlMs } = options
  return async (work) => {
    const token = randomBytes(8).toString('hex')
    await acquire(options, token)
    const extend = setInterval(() => {
      extendScript(redis, [keys.migration], [token, ttlMs]).catch(() => {})
    }, ttlMs / 3)
    try {
      return await work()
    } finally {
      clearInterval(extend)
      await releaseScript(redis, [keys.migration], [token]).catch(() => {})
    }
  }
}

async function acquire({ redis, keys, ttlMs, waitTimeoutMs }: MigrationLockOptions, token: string): Promise<void> {
  const deadlineMs = performance.now() + waitTimeoutMs
  while ((await redis.set(keys.migration, token, 'PX', ttlMs, 'NX')) === null) {
    if (performance.now() > deadlineMs) {
      throw new StoreError('STATE_UNAVAILABLE', `another control plane has been applying migrations for ${waitTimeoutMs} ms`)
    }
    await sleep(pollMs)
  }
}
