import { leaseKey } from '../../runtime/lane-keys.ts'
import { defineScript, type Redis, requireConnection } from '../../runtime/redis.ts'

const touchScript = defineScript(`
local state = redis.call('GET', KEYS[1])
if state == 'expelled' then return 'EXPELLED' end
if state then
  -- Needs no memory: a Redis that is full must not end leases.
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  return 'HELD'
end
if ARGV[2] == '0' then return 'MISSING' end
redis.call('SET', KEYS[1], 'alive', 'PX', ARGV[1])
return 'HELD'
`)

const leaveScript = defineScript(`
if redis.call('GET', KEYS[1]) == 'alive' then return redis.call('DEL', KEYS[1]) end
return 0
`)

/**
 * Until when this worker may read and send. It extends its key itself; the control plane takes its lanes only after it has
 * expelled the key, which the key's life prevents: two scripts on one key, so exactly one wins.
 */
export class Lease {
  readonly #redis: Redis
  readonly #key: string
  readonly #leaseMs: number
  #monotonicEnd = 0
  #wallEnd = 0

  constructor(redis: Redis, instance: string, leaseMs: number) {
    this.#redis = redis
    this.#key = leaseKey(instance)
    this.#leaseMs = leaseMs
  }

  /** By both clocks, and from when the touch was SENT: a process that was frozen sees it at its next look. */
  isValid(now: number, nowMs: number): boolean {
    return now < this.#monotonicEnd && nowMs < this.#wallEnd
  }

  /** GONE: this instance is expelled, or Redis lost the key and the lease is over: give up every lane. Rejects when Redis does not answer. */
  async touch(): Promise<'HELD' | 'GONE'> {
    // A touch that waited for a connection could make the key anew when the lease is long over.
    requireConnection(this.#redis)
    const monotonic = performance.now()
    const wall = Date.now()
    const first = this.#wallEnd === 0
    const answer = String(
      await touchScript(this.#redis, [this.#key], [this.#leaseMs, first || this.isValid(monotonic, wall) ? 1 : 0]),
    )
    if (answer !== 'HELD') {
      this.#monotonicEnd = 0
      return 'GONE'
    }
    this.#monotonicEnd = monotonic + this.#leaseMs
    this.#wallEnd = wall + this.#leaseMs
    return 'HELD'
  }

  /** Lets go before the lease ends, so that nobody need wait for it. */
  async leave(): Promise<void> {
    this.#monotonicEnd = 0
    requireConnection(this.#redis)
    await leaveScript(this.#redis, [this.#key], [])
  }
}
