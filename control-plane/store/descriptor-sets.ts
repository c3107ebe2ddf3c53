import { createHash } from 'node:crypto'
import { defineScript, type Redis } from '../../runtime/redis.ts'
import { askRedis } from './ask-redis.ts'
import type { ControlKeys } from './control-keys.ts'
import { StoreError } from './store-error.ts'

/**
 * Removes the sets that no definition names. Not while changes wait for ClickHouse: they may name one.
 * KEYS useCases descriptorSets outbox
 */
const sweepScript = defineScript(`
if redis.call('XLEN', KEYS[3]) > 0 then return 0 end
local named = {}
for _, definition in ipairs(redis.call('HVALS', KEYS[1])) do
  for sha256 in string.gmatch(definition, '"descriptorSetSha256":"(%x+)"') do named[sha256] = true end
  for sha256 in string.gmatch(definition, '"schemaSha256":"(%x+)"') do named[sha256] = true end
end
local removed = 0
for _, sha256 in ipairs(redis.call('HKEYS', KEYS[2])) do
  if not named[sha256] then removed = removed + redis.call('HDEL', KEYS[2], sha256) end
end
return removed
`)

/** KEYS descriptorSets  ARGV SHA-256, bytes, most sets. Answers 0 when there are as many as may be. */
const storeScript = defineScript(`
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 1 end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
`)

/** Serialized FileDescriptorSets, and Avro schemas, by content hash. A definition names its set; the script that writes it checks that it is here. */
export class DescriptorSets {
  readonly #redis: Redis
  readonly #keys: ControlKeys
  readonly #setsMax: number

  constructor(redis: Redis, keys: ControlKeys, setsMax: number) {
    this.#redis = redis
    this.#keys = keys
    this.#setsMax = setsMax
  }

  /** Done before a definition names the set. Throws LIMIT_EXCEEDED. */
  async store(bytes: Uint8Array): Promise<void> {
    const args = [hashDescriptorSet(bytes), Buffer.from(bytes), this.#setsMax]
    if (Number(await askRedis(() => storeScript(this.#redis, [this.#keys.descriptorSets], args))) > 0) return
    const message = `there are ${this.#setsMax} descriptor sets and schemas, as many as may be: name one that Ferry has, or call again in some minutes, when those that nobody names are gone`
    throw new StoreError('LIMIT_EXCEEDED', message)
  }

  async read(sha256: string): Promise<Uint8Array | undefined> {
    return (await askRedis(() => this.#redis.hgetBuffer(this.#keys.descriptorSets, sha256))) ?? undefined
  }

  /** Removes what no definition names any more, and answers how many; the leader calls it now and then. */
  async sweep(): Promise<number> {
    const { useCases, descriptorSets, outbox } = this.#keys
    return (await askRedis(() => sweepScript(this.#redis, [useCases, descriptorSets, outbox], []))) as number
  }
}

export const hashDescriptorSet = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
