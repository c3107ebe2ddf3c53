import { defineScript, type Redis, requireConnection } from '../../runtime/redis.ts'

const holdScript = defineScript(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`)

const letGoScript = defineScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`)

/**
 * Who drains a partition of the spool. It saves work and protects nothing: two who drain the same insert the same bytes under the
 * same tokens.
 */
export class DrainLock {
  readonly #redis: Redis
  readonly #key: string
  readonly #holder: string
  readonly #holdMs: number

  constructor(redis: Redis, topic: string, partition: number, holder: string, holdMs: number) {
    this.#redis = redis
    this.#key = `ferry:{spool/${topic}/${partition}}:drain`
    this.#holder = holder
    this.#holdMs = holdMs
  }

  /** Takes it, or holds it for longer; false when another one has it. Rejects when Redis does not answer. */
  async hold(): Promise<boolean> {
    requireConnection(this.#redis)
    return (await holdScript(this.#redis, [this.#key], [this.#holder, this.#holdMs])) === 1
  }

  async letGo(): Promise<void> {
    requireConnection(this.#redis)
    await letGoScript(this.#redis, [this.#key], [this.#holder])
  }
}
