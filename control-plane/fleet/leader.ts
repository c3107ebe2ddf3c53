import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../runtime/log.ts'
import { defineScript, type Redis } from '../../runtime/redis.ts'
import type { FleetKeys } from './fleet-keys.ts'
import { within } from './within.ts'

// One replica leads, by a lease in Redis. Each election has a term above every one before, and at least the clock in
// milliseconds, so that it grows also when Redis forgets it. Everything that a leader writes compares the term.
//
// | state    | renewed             | refused, or the lease ends by either clock | elected |
// |----------|---------------------|--------------------------------------------|---------|
// | follower |                     |                                            | leader  |
// | leader   | leader, same term   | follower; its next election is a new term  |         |

/** KEYS leader term  ARGV replica, address, lease ms, clock ms. Answers who leads, its address and term, and what is left of its lease. */
const campaignScript = defineScript(`
local holder = redis.call('HMGET', KEYS[1], 'replica', 'address', 'term')
if holder[1] and holder[1] ~= ARGV[1] then
  return {holder[1], holder[2], holder[3], redis.call('PTTL', KEYS[1])}
end
local term = string.format('%.0f', math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, tonumber(ARGV[4])))
redis.call('SET', KEYS[2], term)
redis.call('HSET', KEYS[1], 'replica', ARGV[1], 'address', ARGV[2], 'term', term)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {ARGV[1], ARGV[2], term, tonumber(ARGV[3])}
`)

/** KEYS leader  ARGV replica, term, lease ms */
const renewScript = defineScript(`
local holder = redis.call('HMGET', KEYS[1], 'replica', 'term')
if holder[1] ~= ARGV[1] or holder[2] ~= ARGV[2] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[3])
`)

/** KEYS leader  ARGV replica, term */
const resignScript = defineScript(`
local holder = redis.call('HMGET', KEYS[1], 'replica', 'term')
if holder[1] ~= ARGV[1] or holder[2] ~= ARGV[2] then return 0 end
return redis.call('DEL', KEYS[1])
`)

export interface LeaderOptions {
  readonly redis: Redis
  readonly keys: FleetKeys
  /** New at each start of the process. */
  readonly replica: string
  /** Where the other replicas reach this one. */
  readonly address: () => string
  readonly leaseMs: number
  readonly log: Logger
  /** Called after each election and each loss. */
  readonly onChange: () => void
}

/** The lease counts for so much of its length here: clocks of two machines do not run alike. */
const leaseShare = 0.9

export class Leader {
  readonly #options: LeaderOptions
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined
  #term: number | undefined
  #monotonicEnd = 0
  #wallEnd = 0
  #other: { readonly address: string; readonly untilMs: number } | undefined
  #problem: string | undefined = 'no replica has been elected yet'

  constructor(options: LeaderOptions) {
    this.#options = options
  }

  /** This replica's term while it leads. A process that was frozen sees at its next look that it no longer does. */
  lead(): { readonly term: number } | undefined {
    if (this.#term === undefined) return undefined
    if (performance.now() < this.#monotonicEnd && Date.now() < this.#wallEnd) return { term: this.#term }
    this.#step(undefined, 'its lease has ended before it could be renewed')
    return undefined
  }

  /** Address of another replica that leads, as far as is known. */
  get otherAddress(): string | undefined {
    return this.#other !== undefined && performance.now() < this.#other.untilMs ? this.#other.address : undefined
  }

  /** Why nobody can be asked about the fleet from here; undefined when somebody can. */
  get problem(): string | undefined {
    if (this.lead() !== undefined || this.otherAddress !== undefined) return undefined
    return this.#problem ?? 'no replica leads at this moment'
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Lets another lead at once. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    const term = this.#term
    this.#step(undefined, 'it stops')
    if (term === undefined) return
    const { redis, keys, replica, leaseMs, log } = this.#options
    await within(resignScript(redis, [keys.leader], [replica, term]), leaseMs, 'resigning').catch((error: unknown) =>
      log.warn({ error: String(error) }, 'leader: could not resign; the next election waits for the lease to end'),
    )
  }

  /** Redis has shown that another term has begun. */
  deposed(): void {
    this.#step(undefined, 'Redis knows a newer term, or has lost this one')
  }

  async #run(): Promise<void> {
    const { leaseMs, log } = this.#options
    const beatMs = Math.floor(leaseMs / 3)
    let failures = 0
    while (!this.#stopping.signal.aborted) {
      let waitMs = beatMs
      try {
        waitMs = Math.min(beatMs, await within(this.#beat(), beatMs, 'asking Redis who leads'))
        failures = 0
        this.#problem = undefined
      } catch (error) {
        this.#problem = `Redis does not say who leads: ${error instanceof Error ? error.message : String(error)}`
        if (failures++ === 0) log.warn({ error: this.#problem }, 'leader: cannot hold or ask for leadership, trying again')
        waitMs = Math.min(beatMs, 500)
      }
      this.lead()
      await sleep(waitMs, undefined, { signal: this.#stopping.signal }).catch(() => {})
    }
  }

  /** Renews, or stands for election; answers when to try again at the latest. */
  async #beat(): Promise<number> {
    const { redis, keys, replica, address, leaseMs } = this.#options
    const monotonic = performance.now()
    const wall = Date.now()
    const led = this.lead()
    if (led !== undefined) {
      if (Number(await renewScript(redis, [keys.leader], [replica, led.term, leaseMs])) === 1)
        this.#extend(led.term, monotonic, wall)
      else this.deposed()
      return this.#term === undefined ? 0 : leaseMs
    }
    const answer = (await campaignScript(redis, [keys.leader, keys.term], [replica, address(), leaseMs, wall])) as [
      Buffer,
      Buffer,
      Buffer,
      number,
    ]
    if (String(answer[0]) === replica) {
      this.#extend(Number(String(answer[2])), monotonic, wall)
      return leaseMs
    }
    this.#other = { address: String(answer[1]), untilMs: monotonic + Math.max(answer[3], 0) + leaseMs / 3 }
    return Math.max(answer[3], 0) + 10
  }

  #extend(term: number, monotonic: number, wall: number): void {
    // From when it was asked for: Redis counts from later.
    this.#monotonicEnd = monotonic + this.#options.leaseMs * leaseShare
    this.#wallEnd = wall + this.#options.leaseMs * leaseShare
    if (this.#term === term || this.#stopping.signal.aborted) return
    this.#other = undefined
    this.#step(term, 'elected')
  }

  #step(term: number | undefined, reason: string): void {
    if (this.#term === term) return
    const { log, onChange } = this.#options
    if (term === undefined) log.warn({ term: this.#term, reason }, 'leader: this replica no longer leads')
    else log.info({ term }, 'leader: this replica leads')
    this.#term = term
    onChange()
  }
}
