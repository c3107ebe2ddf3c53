import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { PartSpec } from './part.ts'

/** Redis as Ferry wants it: every write goes to a file, nothing is evicted, no snapshots beside it. Loopback only. `more`: arguments over these. */
export function redisSpec(dataDir: string, port: number, more: readonly string[] = []): Omit<PartSpec, 'onDeath'> {
  const dir = join(dataDir, 'redis')
  mkdirSync(dir, { recursive: true })
  return {
    name: 'redis',
    port,
    command: 'redis-server',
    args: [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dir],
      ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '', '--maxmemory-policy', 'noeviction'],
      ...more,
    ],
    logFile: join(dataDir, 'redis.log'),
    isReady: (printed) => printed.includes('Ready to accept connections'),
  }
}
