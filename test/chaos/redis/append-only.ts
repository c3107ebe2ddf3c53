import { cpSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fleet } from '../../harness/fleet.ts'

const directoryOf = (fleet: Fleet): string => join(fleet.own.dataDir, 'redis/appendonlydir')

/** What Redis has written until now; puts it in the place of what it has written since. */
export interface OldState {
  /** Redis is killed, and comes back with the old state. Owners that live know more than it does. */
  putBack(): Promise<void>
}

/** A copy of the append-only files as they are now, while Redis writes: their end may be half an entry, as after a power failure. */
export function keepState(fleet: Fleet): OldState {
  const copy = mkdtempSync(join(fleet.own.dataDir, 'old-'))
  cpSync(directoryOf(fleet), copy, { recursive: true })
  return {
    putBack: async () => {
      await fleet.own.redis.kill()
      rmSync(directoryOf(fleet), { recursive: true })
      renameSync(copy, directoryOf(fleet))
      await fleet.own.redis.start()
    },
  }
}

/** Redis dies now, and what it wrote in the last ms never reached the disk; answers when it is dead. */
export async function loseLast(fleet: Fleet, ms: number): Promise<void> {
  const file = newestFile(directoryOf(fleet))
  const { size } = statSync(file)
  await sleep(ms)
  await fleet.own.redis.kill()
  truncateSync(file, size)
}

/** The one that Redis appends to; its number grows with each rewrite. */
function newestFile(directory: string): string {
  const files = readdirSync(directory).filter((file) => file.endsWith('.incr.aof'))
  const numberOf = (file: string): number => Number(/\.(\d+)\.incr\.aof$/.exec(file)![1])
  const newest = files.sort((a, b) => numberOf(b) - numberOf(a))[0]
  if (newest === undefined) throw new Error(`Redis appends to no file in ${directory}`)
  return join(directory, newest)
}
