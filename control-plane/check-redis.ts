import type { Logger } from '../runtime/log.ts'
import { type Redis, serversOf } from '../runtime/redis.ts'

/** Lane state must survive a restart of Redis and must never be dropped to make room: says so when the settings allow either. */
export async function checkRedisSettings(redis: Redis, log: Logger): Promise<void> {
  for (const server of serversOf(redis)) await checkServer(server, log)
}

async function checkServer(server: Redis, log: Logger): Promise<void> {
  let settings: Map<string, string>
  try {
    settings = await readSettings(server)
  } catch (error) {
    log.warn(
      { error: String(error) },
      'redis: its settings cannot be read; make sure that appendonly is yes and maxmemory-policy is noeviction',
    )
    return
  }
  if (settings.get('appendonly') !== 'yes') {
    log.warn(
      { appendonly: settings.get('appendonly') },
      'redis: appendonly is not yes: a restart loses lane state and definitions that the audit does not have. Set appendonly yes',
    )
  }
  if (settings.get('maxmemory-policy') !== 'noeviction') {
    log.warn(
      { maxmemoryPolicy: settings.get('maxmemory-policy') },
      'redis: maxmemory-policy is not noeviction: a full Redis drops lane state without a word. Set maxmemory-policy noeviction',
    )
  }
}

async function readSettings(redis: Redis): Promise<Map<string, string>> {
  const settings = new Map<string, string>()
  for (const name of ['appendonly', 'maxmemory-policy']) {
    const [, value] = (await redis.config('GET', name)) as string[]
    if (value === undefined) throw new Error(`Redis does not tell ${name}`)
    settings.set(name, value)
  }
  return settings
}
