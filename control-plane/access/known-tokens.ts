import type { Token } from '../../proto/gen/ferry/v1/token_service_pb.ts'
import { AccessError } from './access-error.ts'
import { hasEnded, type StoredToken, tokenIdOf } from './stored-token.ts'
import type { TokenStore } from './token-store.ts'

export interface KnownTokensOptions {
  readonly store: Pick<TokenStore, 'readAll' | 'writeUse'>
  /** So old may be what is known: a revoked token is taken for at most so long. */
  readonly ageMsMax: number
  /** So coarse is what is known of a token's last use. */
  readonly useMs: number
  readonly monotonicMs: () => number
  readonly nowMs: () => number
}

/** For an unknown secret, which may be of a token that another replica has just made: Redis is asked at most so often. */
const askAgainMs = 50

/**
 * Finds the token of a secret's hash, in memory. What Redis has is read again when it is older than ageMsMax; while Redis is away, what
 * was known goes on: nothing can be revoked then either, and workers must not be locked out. Throws AccessError STATE_UNAVAILABLE.
 */
export class KnownTokens {
  readonly #options: KnownTokensOptions
  #byHash: ReadonlyMap<string, StoredToken> | undefined
  #source: ReadonlyMap<string, StoredToken> | undefined
  /** Monotonic clock: when it was last asked for. */
  #askedMs = Number.NEGATIVE_INFINITY
  #asking: Promise<void> | undefined
  #problem: unknown
  /** Unix ms, by id. */
  readonly #uses = new Map<string, number>()

  constructor(options: KnownTokensOptions) {
    this.#options = options
  }

  /** Undefined when there is none that is taken now. */
  async find(sha256: string): Promise<Token | undefined> {
    await this.#readIfOlder(this.#options.ageMsMax)
    let found = this.#byHash?.get(sha256)
    if (found === undefined) {
      await this.#readIfOlder(askAgainMs)
      found = this.#byHash?.get(sha256)
    }
    if (this.#byHash === undefined) {
      const why = this.#problem instanceof Error ? this.#problem.message : String(this.#problem)
      throw new AccessError('STATE_UNAVAILABLE', `it cannot be looked up who calls (${why})`, [], this.#problem)
    }
    if (found === undefined || hasEnded(found.token, this.#options.nowMs())) return undefined
    this.#used(tokenIdOf(found.token))
    return found.token
  }

  async #readIfOlder(ageMs: number): Promise<void> {
    const now = this.#options.monotonicMs()
    if (this.#asking === undefined) {
      if (now - this.#askedMs < ageMs) return
      this.#askedMs = now
      this.#asking = this.#read().finally(() => {
        this.#asking = undefined
      })
    }
    // While Redis is away nobody waits for it who can be answered by what is known.
    if (this.#byHash === undefined || this.#problem === undefined) await this.#asking
  }

  async #read(): Promise<void> {
    try {
      const all = await this.#options.store.readAll()
      this.#problem = undefined
      if (all === this.#source) return
      this.#source = all
      this.#byHash = new Map([...all.values()].map((each) => [each.sha256, each]))
    } catch (error) {
      this.#problem = error
    }
  }

  /** Written down at most once in useMs for each token, and by nobody who waits. */
  #used(id: string): void {
    const { store, useMs, nowMs } = this.#options
    const timeMs = nowMs()
    const last = this.#uses.get(id)
    if (last !== undefined && timeMs - last < useMs) return
    this.#uses.set(id, timeMs)
    // What is not written down is so at the next use after useMs.
    store.writeUse(id, timeMs).catch(() => {})
  }
}
