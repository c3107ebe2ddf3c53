import { defineScript, type Redis } from '../../runtime/redis.ts'
import { QueryError } from '../attempts/query-error.ts'
import { askRedis } from '../store/ask-redis.ts'
import type { VerificationKeys } from './verification-keys.ts'
import { createMsOf, idOf, isOpen, readRecord, type VerificationRecord, writeRecord } from './verification-record.ts'

export interface VerificationStoreOptions {
  readonly redis: Redis
  readonly keys: VerificationKeys
  /** That have not ended. */
  readonly openMax: number
  /** Of each use case; older ones that have ended are forgotten. */
  readonly keptMax: number
  /** From its creation on a verification is kept for so long. */
  readonly keptMs: number
}

export interface VerificationPage {
  readonly records: readonly VerificationRecord[]
  readonly more: boolean
}

/** KEYS record open order request  ARGV id, record, created ms, kept ms, most open, 1 with a request id */
const createScript = defineScript(`
if ARGV[6] == '1' then
  local first = redis.call('GET', KEYS[4])
  if first then return {'SAME', first} end
end
if redis.call('SCARD', KEYS[2]) >= tonumber(ARGV[5]) then return {'FULL'} end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[4])
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
if ARGV[6] == '1' then redis.call('SET', KEYS[4], ARGV[1], 'PX', ARGV[4]) end
return {'WRITTEN'}
`)

/** KEYS record open  ARGV id, expected revision, record, 1 while it is open */
const replaceScript = defineScript(`
local current = redis.call('GET', KEYS[1])
if not current or cjson.decode(current).revision ~= tonumber(ARGV[2]) then return {'CONFLICT'} end
redis.call('SET', KEYS[1], ARGV[3], 'KEEPTTL')
if ARGV[4] ~= '1' then redis.call('SREM', KEYS[2], ARGV[1]) end
return {'WRITTEN'}
`)

/** Verifications in Redis. Each change is compared with what is stored. */
export class VerificationStore {
  readonly #options: VerificationStoreOptions

  constructor(options: VerificationStoreOptions) {
    this.#options = options
  }

  async read(id: string): Promise<VerificationRecord | undefined> {
    const { redis, keys } = this.#options
    const text = await askRedis(() => redis.get(keys.record(id)))
    return text === null ? undefined : readRecord(text)
  }

  /** Those that have not ended, oldest first. */
  async open(): Promise<VerificationRecord[]> {
    const { redis, keys } = this.#options
    const ids = (await askRedis(() => redis.smembers(keys.open))).sort()
    const records = await this.#readAll(ids)
    const known = new Set(records.filter(isOpen).map(idOf))
    const gone = ids.filter((id) => !known.has(id))
    if (gone.length > 0) await askRedis(() => redis.srem(keys.open, ...gone))
    return records.filter(isOpen)
  }

  /** Newest first, from below a given id on. */
  async list(useCase: string, belowId: string | undefined, size: number): Promise<VerificationPage> {
    const { redis, keys } = this.#options
    const order = keys.orderOf(useCase)
    const rank = belowId === undefined ? -1 : await askRedis(() => redis.zrevrank(order, belowId))
    if (rank === null)
      throw new QueryError('INVALID_PAGE_TOKEN', 'page_token names a verification that is forgotten: start again without one')
    const ids = await askRedis(() => redis.zrevrange(order, rank + 1, rank + 1 + size))
    return { records: await this.#readAll(ids.slice(0, size)), more: ids.length > size }
  }

  /** Answers the verification that the same request has made before, or the given one. */
  async create(record: VerificationRecord, requestId: string): Promise<VerificationRecord> {
    const { redis, keys, openMax, keptMs } = this.#options
    const [id, { useCase }] = [idOf(record), record.verification]
    const names = [keys.record(id), keys.open, keys.orderOf(useCase), keys.request(record.uid, requestId)]
    const args = [id, writeRecord(record), createMsOf(record), keptMs, openMax, requestId === '' ? 0 : 1]
    const [kind, same] = ((await askRedis(() => createScript(redis, names, args))) as Buffer[]).map(String)
    if (kind === 'FULL') {
      const what = `${openMax} verifications have not ended, as many as may be`
      throw new QueryError('LIMIT_EXCEEDED', `${what}: wait for some, or cancel them`)
    }
    if (kind === 'SAME') return (await this.read(same!)) ?? record
    await this.#forgetOld(useCase, createMsOf(record))
    return record
  }

  /** Answers whether `record`, the next revision of what was read, was written: not when somebody changed or forgot it in between. */
  async replace(record: VerificationRecord): Promise<boolean> {
    const { redis, keys } = this.#options
    const id = idOf(record)
    const args = [id, record.revision - 1, writeRecord(record), isOpen(record) ? 1 : 0]
    const reply = await askRedis(() => replaceScript(redis, [keys.record(id), keys.open], args))
    return String((reply as Buffer[])[0]) === 'WRITTEN'
  }

  /** What has expired leaves the list; what is too much and has ended is forgotten before its time. */
  async #forgetOld(useCase: string, nowMs: number): Promise<void> {
    const { redis, keys, keptMax, keptMs } = this.#options
    const order = keys.orderOf(useCase)
    await askRedis(() => redis.zremrangebyscore(order, '-inf', nowMs - keptMs))
    const surplus = await askRedis(() => redis.zrange(order, 0, -keptMax - 1))
    for (const record of await this.#readAll(surplus)) {
      if (isOpen(record)) continue
      await askRedis(() => redis.del(keys.record(idOf(record))))
      await askRedis(() => redis.zrem(order, idOf(record)))
    }
  }

  async #readAll(ids: readonly string[]): Promise<VerificationRecord[]> {
    if (ids.length === 0) return []
    const { redis, keys } = this.#options
    const texts = await askRedis(() => redis.mget(...ids.map(keys.record)))
    return texts.filter((text) => text !== null).map(readRecord)
  }
}
