import { defineScript, type Redis } from '../../runtime/redis.ts'
import { askRedis } from '../store/ask-redis.ts'
import type { ChangeRow } from '../store/change.ts'
import { appendChangeLua } from '../store/change-script.ts'
import type { ControlKeys } from '../store/control-keys.ts'
import { readHashScript } from '../store/read-hash.ts'
import { outboxFull, unprepared } from '../store/store-error.ts'
import { AccessError } from './access-error.ts'
import { hasEnded, readToken, type StoredToken, tokenIdOf, writeToken } from './stored-token.ts'

export interface TokenStoreOptions {
  readonly redis: Redis
  readonly keys: ControlKeys
  /** Tokens that may be kept; of those that have ended the oldest make room. */
  readonly tokensMax: number
  readonly outboxEntriesMax: number
}

/**
 * Puts a token in the place of what is expected, with an entry for the audit.
 *
 * KEYS tokens tokenUses changes outbox
 * ARGV id, expected token (empty: none), token, audit entry, most tokens, most outbox entries, ids of ended tokens that may go
 */
const writeScript = defineScript(`${appendChangeLua}
if redis.call('EXISTS', KEYS[3]) == 0 then return 'UNPREPARED' end
local current = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if current ~= ARGV[2] then return 'CONFLICT' end
if redis.call('XLEN', KEYS[4]) >= tonumber(ARGV[6]) then return 'OUTBOX_FULL' end
if current == '' and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then
  if not ARGV[7] then return 'FULL' end
  for at = 7, #ARGV do
    redis.call('HDEL', KEYS[1], ARGV[at])
    redis.call('HDEL', KEYS[2], ARGV[at])
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
appendChange(KEYS[3], KEYS[4], ARGV[4])
return 'WRITTEN'
`)

/** Tokens in Redis. Throws StoreError and AccessError. */
export class TokenStore {
  readonly #options: TokenStoreOptions
  /** Changes when anything does; empty before the first read. */
  #last = ''
  #all: ReadonlyMap<string, StoredToken> = new Map()

  constructor(options: TokenStoreOptions) {
    this.#options = options
  }

  /** All of them by id, as of now. The answer is shared: it must not be written to. Throws while an empty Redis may be one that has lost all. */
  async readAll(): Promise<ReadonlyMap<string, StoredToken>> {
    const { redis, keys } = this.#options
    const [last, pairs] = (await askRedis(() => readHashScript(redis, [keys.changes, keys.tokens], [this.#last]))) as [
      Buffer?,
      Buffer[]?,
    ]
    if (last === undefined) throw unprepared()
    if (pairs === undefined) return this.#all
    const all = new Map<string, StoredToken>()
    for (let at = 0; at < pairs.length; at += 2) all.set(String(pairs[at]), readToken(String(pairs[at + 1])))
    this.#last = String(last)
    this.#all = all
    return all
  }

  /** Answers whether `before`, undefined for none, was what is stored; then `after` is now. */
  async write(before: StoredToken | undefined, after: StoredToken, audit: ChangeRow, nowMs: number): Promise<boolean> {
    const { redis, keys, tokensMax, outboxEntriesMax } = this.#options
    const ended = before ? [] : oldestEnded(await this.readAll(), nowMs, tokensMax)
    const args = [tokenIdOf(after.token), before?.text ?? '', writeToken(after)]
    const reply = await askRedis(() =>
      writeScript(
        redis,
        [keys.tokens, keys.tokenUses, keys.changes, keys.outbox],
        [...args, JSON.stringify(audit), tokensMax, outboxEntriesMax, ...ended],
      ),
    )
    const kind = String(reply)
    if (kind === 'UNPREPARED') throw unprepared()
    if (kind === 'FULL')
      throw new AccessError('LIMIT_EXCEEDED', `there are ${tokensMax} tokens, as many as may be: revoke one that is not needed`)
    if (kind === 'OUTBOX_FULL') throw outboxFull(outboxEntriesMax)
    return kind === 'WRITTEN'
  }

  /** When each was last used, Unix ms, by id. */
  async readUses(): Promise<ReadonlyMap<string, number>> {
    const { redis, keys } = this.#options
    const uses = await askRedis(() => redis.hgetall(keys.tokenUses))
    return new Map(Object.entries(uses).map(([id, ms]) => [id, Number(ms)]))
  }

  async writeUse(id: string, timeMs: number): Promise<void> {
    const { redis, keys } = this.#options
    await askRedis(() => redis.hset(keys.tokenUses, id, timeMs))
  }
}

/** Those that make room for one more, once it is needed. */
function oldestEnded(all: ReadonlyMap<string, StoredToken>, nowMs: number, tokensMax: number): string[] {
  const ended = [...all.values()].map(({ token }) => token).filter((token) => hasEnded(token, nowMs))
  const seconds = (token: (typeof ended)[number]) => Number((token.revokeTime ?? token.expireTime)!.seconds)
  return ended
    .sort((a, b) => seconds(a) - seconds(b))
    .slice(0, Math.max(0, all.size + 1 - tokensMax))
    .map(tokenIdOf)
}
