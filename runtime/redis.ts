import { Redis } from 'ioredis'
import type { Logger } from './log.ts'

export type { Redis } from 'ioredis'

/** Opens a connection that comes back by itself. A command fails after commandTimeoutMs, also while there is no connection. */
export function connectRedis(url: string, commandTimeoutMs: number, log: Logger): Redis {
  const redis = new Redis(url, {
    commandTimeout: commandTimeoutMs,
    connectTimeout: commandTimeoutMs,
    maxRetriesPerRequest: null,
    retryStrategy: (times) => Math.min(50 * times, 500),
    // A script that was sent and not answered must not be sent again behind the caller's back: the caller decides.
    autoResendUnfulfilledCommands: false,
  })
  let failing = false
  redis.on('error', (error: Error) => {
    if (!failing) log.warn({ error: error.message }, 'redis: connection failed, trying again')
    failing = true
  })
  redis.on('ready', () => {
    failing = false
  })
  return redis
}

/**
 * Throws while there is no connection. A command that waits for one is sent when it comes, long after its caller has given up, and
 * those of a long outage add up: who tries again by himself asks this first.
 */
export function requireConnection(redis: Redis): void {
  if (redis.status !== 'ready') throw new Error('there is no connection to Redis')
}

/** A Lua script that is sent by its hash, and whole when the server does not know it. */
export function defineScript(
  source: string,
): (redis: Redis, keys: readonly string[], args: readonly (string | number | Buffer)[]) => Promise<unknown> {
  let sha: string | undefined
  return async (redis, keys, args) => {
    if (sha !== undefined) {
      try {
        return await redis.callBuffer('EVALSHA', sha, keys.length, ...keys, ...args)
      } catch (error) {
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      }
    }
    sha = (await redis.script('LOAD', source)) as string
    return redis.callBuffer('EVALSHA', sha, keys.length, ...keys, ...args)
  }
}
