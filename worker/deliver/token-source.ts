import { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { Token } from '../../runtime/fetch-token.ts'
import type { Trouble } from './access.ts'

// One OAuth 2 token for all requests of a use case on this worker. Nobody waits for it in a call: while there is none, nothing is sent.
//
// state    event                                  next      does
// NONE     may a request start?                   FETCHING  one fetch, whoever asks
// FETCHING fetched                                GOOD
// FETCHING failed                                 NONE      the next fetch waits: 1 s, doubled up to 30 s
// GOOD     may a request start? near the expiry   GOOD      one fetch beside, the old token goes on
// GOOD     may a request start? after the expiry  NONE
// GOOD     401, and the token has worked, or has  NONE      the attempt costs no retry
//          been there for a minute
// GOOD     401, and it has not                    GOOD      the answer counts: a new token would be refused as well
// any      401 to an older token                  same      the attempt costs no retry

/** So long before the expiry a token is fetched anew, or a quarter of its life if that is less. */
const EARLY_MS = 60_000
/** So long before the expiry it is no longer used: it has to arrive, too. */
const MARGIN_MS = 5000
const PATIENCE_MS = 60_000
const WAIT_MS = 1000
const WAIT_MS_MAX = 30_000

export class TokenSource {
  /** Why there is no token; undefined while nothing has failed. */
  trouble: Trouble | undefined
  readonly #fetch: () => Promise<Token>
  #header = ''
  #fetchedAt = 0
  #renewAt = 0
  #expireAt = 0
  #hasWorked = false
  #isFetching = false
  #fetchAt = 0
  #waitMs = WAIT_MS

  /** fetch has a deadline of its own; what it throws says why, without secrets. */
  constructor(fetch: () => Promise<Token>) {
    this.#fetch = fetch
  }

  /** Whether a request may start now. Fetches a token when that is due. Times are those of performance.now(). */
  ready(now: number): boolean {
    if (now < this.#renewAt) return true
    if (!this.#isFetching && now >= this.#fetchAt) void this.#renew(now)
    return now < this.#expireAt
  }

  /** The value for the authorization header, while it is ready. */
  get header(): string {
    return this.#header
  }

  /** An answer has come for a request with this header; true: its token was no longer good, and the attempt costs no retry. */
  refuses(status: number, header: string | undefined, now: number): boolean {
    if (status !== 401) {
      if (status !== 0 && header === this.#header) this.#hasWorked = true
      return false
    }
    if (header !== this.#header) return true
    if (!this.#hasWorked && now - this.#fetchedAt < PATIENCE_MS) return false
    this.#renewAt = this.#expireAt = 0
    this.#header = ''
    return true
  }

  async #renew(now: number): Promise<void> {
    this.#isFetching = true
    try {
      const { value, lifetimeMs } = await this.#fetch()
      this.#header = `Bearer ${value}`
      this.#fetchedAt = now
      this.#renewAt = now + lifetimeMs - Math.min(EARLY_MS, lifetimeMs / 4)
      this.#expireAt = now + lifetimeMs - Math.min(MARGIN_MS, lifetimeMs / 10)
      this.#hasWorked = false
      this.#waitMs = WAIT_MS
      this.trouble = undefined
    } catch (error) {
      const message = `no OAuth 2 token: ${error instanceof Error ? error.message : String(error)}`
      this.trouble = { condition: LaneCondition.CREDENTIALS_UNAVAILABLE, message }
      this.#fetchAt = performance.now() + this.#waitMs
      this.#waitMs = Math.min(this.#waitMs * 2, WAIT_MS_MAX)
    } finally {
      this.#isFetching = false
    }
  }
}
