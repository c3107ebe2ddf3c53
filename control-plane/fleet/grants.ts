import type { LaneId } from '../../runtime/lane-keys.ts'
import { defineScript, type Redis } from '../../runtime/redis.ts'
import type { FleetKeys } from './fleet-keys.ts'
import type { StoredGrant } from './found-lane.ts'
import type { Grant } from './plan.ts'

const fence = `if redis.call('HGET', KEYS[1], 'term') ~= ARGV[1] then return 0 end`

/** KEYS leader grants  ARGV term, then lane and text of each */
const writeScript = defineScript(`${fence}
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
return 1
`)

/** KEYS leader grants  ARGV term, then lanes */
const removeScript = defineScript(`${fence}
for i = 2, #ARGV do redis.call('HDEL', KEYS[2], ARGV[i]) end
return 1
`)

/** Lanes of one script: it blocks Redis while it runs. */
const lanesPerScript = 500

/**
 * Which worker each lane was last given to, written before the worker is told. Without it a new leader could take a lane for free
 * whose worker was told and has not claimed it yet.
 */
export class Grants {
  readonly #redis: Redis
  readonly #keys: FleetKeys

  constructor(redis: Redis, keys: FleetKeys) {
    this.#redis = redis
    this.#keys = keys
  }

  async readAll(): Promise<Map<string, StoredGrant>> {
    const grants = new Map<string, StoredGrant>()
    for (const [key, text] of Object.entries(await this.#redis.hgetall(this.#keys.grants))) {
      const [epoch, instance] = text.split(' ')
      grants.set(key, { epoch: Number(epoch), instance: instance! })
    }
    return grants
  }

  /** False: the term is over, nothing more was written. */
  write(term: number, grants: readonly Grant[]): Promise<boolean> {
    return this.#inPieces(writeScript, term, grants, ({ key, epoch, instance }) => [key, `${epoch} ${instance}`])
  }

  remove(term: number, keys: readonly string[]): Promise<boolean> {
    return this.#inPieces(removeScript, term, keys, (key) => [key])
  }

  async #inPieces<T>(
    script: typeof writeScript,
    term: number,
    items: readonly T[],
    argsOf: (item: T) => readonly string[],
  ): Promise<boolean> {
    for (let at = 0; at < items.length; at += lanesPerScript) {
      const args = items.slice(at, at + lanesPerScript).flatMap(argsOf)
      if (Number(await script(this.#redis, [this.#keys.leader, this.#keys.grants], [term, ...args])) !== 1) return false
    }
    return true
  }
}

/** Reads `{uid}/{cluster}/{topic}/{partition}`; undefined for anything else. */
export function readLaneKey(key: string): LaneId | undefined {
  const [uid, cluster, topic, partition, ...rest] = key.split('/')
  if (!uid || !cluster || !topic || !/^\d+$/.test(partition ?? '') || rest.length > 0) return undefined
  return { uid, cluster, topic, partition: Number(partition) }
}
