import type { Redis } from '../../runtime/redis.ts'
import { QueryError } from '../attempts/query-error.ts'
import { askRedis } from '../store/ask-redis.ts'
import type { ChangeRow } from '../store/change.ts'
import type { ControlKeys } from '../store/control-keys.ts'
import { StoreError } from '../store/store-error.ts'
import { asOfMs, type BatchRecord, batchIdOf, readBatch, writeBatch } from './batch.ts'
import type { BatchKeys } from './batch-keys.ts'
import { createScript, replaceScript } from './batch-scripts.ts'

export interface BatchStoreOptions {
  readonly redis: Redis
  readonly keys: BatchKeys
  /** For the audit: a batch and its entry are written in one script. */
  readonly control: Pick<ControlKeys, 'changes' | 'outbox'>
  /** Batches that have not ended, or whose traces are still in the lanes. */
  readonly activeMax: number
  /** Of each use case; older ones that have ended are forgotten. */
  readonly keptMax: number
  readonly outboxEntriesMax: number
}

export interface BatchPage {
  readonly records: readonly BatchRecord[]
  readonly more: boolean
}

/** Retry batches in Redis. Nothing is decided by what a process remembers: each change is compared with what is stored. */
export class BatchStore {
  readonly #options: BatchStoreOptions

  constructor(options: BatchStoreOptions) {
    this.#options = options
  }

  async read(id: string): Promise<BatchRecord | undefined> {
    const { redis, keys } = this.#options
    const text = await askRedis(() => redis.hget(keys.batches, id))
    return text === null ? undefined : readBatch(text)
  }

  /** The batch that a request id has made. */
  async readByRequest(request: string): Promise<BatchRecord | undefined> {
    const { redis, keys } = this.#options
    const id = await askRedis(() => redis.hget(keys.requests, request))
    return id === null ? undefined : this.read(id)
  }

  /** Those that the leader has work with, oldest first. */
  async active(): Promise<BatchRecord[]> {
    const { redis, keys } = this.#options
    return this.#readAll((await askRedis(() => redis.smembers(keys.active))).sort())
  }

  /** Newest first, of one use case or (empty name) of all, from below a given id on. */
  async list(useCase: string, belowId: string | undefined, size: number): Promise<BatchPage> {
    const { redis, keys } = this.#options
    const order = useCase === '' ? keys.order : keys.orderOf(useCase)
    const rank = belowId === undefined ? -1 : await askRedis(() => redis.zrevrank(order, belowId))
    if (rank === null)
      throw new QueryError('INVALID_PAGE_TOKEN', 'page_token names a batch that is forgotten: start again without one')
    const ids = await askRedis(() => redis.zrevrange(order, rank + 1, rank + 1 + size))
    return { records: await this.#readAll(ids.slice(0, size)), more: ids.length > size }
  }

  /** Answers the batch that the request id has made before, or the given one. */
  async create(record: BatchRecord, request: string, audit: ChangeRow): Promise<BatchRecord> {
    const { redis, keys, control, activeMax, keptMax, outboxEntriesMax } = this.#options
    const names = [keys.batches, keys.active, keys.requests, keys.order, keys.orderOf(record.batch.useCase)]
    const text = writeBatch(record)
    const args = [batchIdOf(record), text, asOfMs(record), request, JSON.stringify(audit), activeMax, keptMax, outboxEntriesMax]
    const reply = await askRedis(() => createScript(redis, [...names, control.changes, control.outbox], args))
    const [kind, same] = (reply as Buffer[]).map(String)
    if (kind === 'SAME') return readBatch(same!)
    this.#requireWritten(kind!)
    return record
  }

  /** Answers whether `record`, the next revision of what was read, was written: not when somebody changed the batch in between. */
  async replace(record: BatchRecord, active: boolean, audit?: ChangeRow): Promise<boolean> {
    const { redis, keys, control, outboxEntriesMax } = this.#options
    const args = [batchIdOf(record), record.revision - 1, writeBatch(record), active ? 1 : 0]
    const reply = await askRedis(() =>
      replaceScript(
        redis,
        [keys.batches, keys.active, control.changes, control.outbox],
        [...args, audit ? JSON.stringify(audit) : '', outboxEntriesMax],
      ),
    )
    const kind = String((reply as Buffer[])[0])
    if (kind === 'CONFLICT') return false
    this.#requireWritten(kind)
    return true
  }

  async #readAll(ids: readonly string[]): Promise<BatchRecord[]> {
    if (ids.length === 0) return []
    const { redis, keys } = this.#options
    const texts = await askRedis(() => redis.hmget(keys.batches, ...ids))
    return texts.filter((text) => text !== null).map(readBatch)
  }

  #requireWritten(kind: string): void {
    const { activeMax, outboxEntriesMax } = this.#options
    switch (kind) {
      case 'WRITTEN':
        return
      case 'ACTIVE_FULL':
        throw new QueryError(
          'LIMIT_EXCEEDED',
          `${activeMax} retry batches are active, as many as may be: wait for some, or cancel them`,
        )
      case 'OUTBOX_FULL': {
        const what = `${outboxEntriesMax} changes wait to be written to the audit`
        throw new StoreError('LIMIT_EXCEEDED', `${what}: see why ClickHouse does not take them, then call again`)
      }
      case 'UNPREPARED': {
        const what = 'Redis is empty, and no leader has yet compared it with the audit in ClickHouse'
        throw new StoreError('STATE_UNAVAILABLE', `${what}: call again when ClickHouse answers`)
      }
      default:
        throw new Error(`a retry batch's script answered ${kind}`)
    }
  }
}
