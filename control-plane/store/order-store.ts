import type { Redis } from '../../runtime/redis.ts'
import { QueryError } from '../attempts/query-error.ts'
import { askRedis } from './ask-redis.ts'
import type { ChangeRow } from './change.ts'
import type { ControlKeys } from './control-keys.ts'
import type { OrderKeys } from './order-keys.ts'
import { createScript, replaceScript } from './order-scripts.ts'
import { outboxFull, unprepared } from './store-error.ts'

/** One kind of order: how it is written, and what the store must know of it. */
export interface OrderKind<R> {
  /** For people, as `retry batches`. */
  readonly what: string
  readonly write: (record: R) => string
  readonly read: (text: string) => R
  readonly idOf: (record: R) => string
  /** Name of its use case. */
  readonly useCaseOf: (record: R) => string
  /** When it was made, Unix ms. */
  readonly createMs: (record: R) => number
}

export interface OrderStoreOptions {
  readonly redis: Redis
  readonly keys: OrderKeys
  /** For the audit: an order and its entry are written in one script. */
  readonly control: Pick<ControlKeys, 'changes' | 'outbox'>
  /** Those that have not ended, or whose traces are still in the lanes. */
  readonly activeMax: number
  /** Of each use case; older ones that have ended are forgotten. */
  readonly keptMax: number
  readonly outboxEntriesMax: number
}

export interface OrderPage<R> {
  readonly records: readonly R[]
  readonly more: boolean
}

/** Orders of operators of one kind in Redis. Nothing is decided by what a process remembers: each change is compared with what is stored. */
export class OrderStore<R extends { readonly revision: number }> {
  readonly #kind: OrderKind<R>
  readonly #options: OrderStoreOptions

  constructor(kind: OrderKind<R>, options: OrderStoreOptions) {
    this.#kind = kind
    this.#options = options
  }

  async read(id: string): Promise<R | undefined> {
    const { redis, keys } = this.#options
    const text = await askRedis(() => redis.hget(keys.orders, id))
    return text === null ? undefined : this.#kind.read(text)
  }

  /** What a request id has made. */
  async readByRequest(request: string): Promise<R | undefined> {
    const { redis, keys } = this.#options
    const id = await askRedis(() => redis.hget(keys.requests, request))
    return id === null ? undefined : this.read(id)
  }

  /** Those that the leader has work with, oldest first. */
  async active(): Promise<R[]> {
    const { redis, keys } = this.#options
    return this.#readAll((await askRedis(() => redis.smembers(keys.active))).sort())
  }

  /** Newest first, of one use case or (empty name) of all, from below a given id on. */
  async list(useCase: string, belowId: string | undefined, size: number): Promise<OrderPage<R>> {
    const { redis, keys } = this.#options
    const order = useCase === '' ? keys.order : keys.orderOf(useCase)
    const rank = belowId === undefined ? -1 : await askRedis(() => redis.zrevrank(order, belowId))
    if (rank === null)
      throw new QueryError('INVALID_PAGE_TOKEN', 'page_token names one that is forgotten: start again without one')
    const ids = await askRedis(() => redis.zrevrange(order, rank + 1, rank + 1 + size))
    return { records: await this.#readAll(ids.slice(0, size)), more: ids.length > size }
  }

  /** Answers what the request id has made before, or the given one. */
  async create(record: R, request: string, audit: ChangeRow): Promise<R> {
    const { redis, keys, control, activeMax, keptMax, outboxEntriesMax } = this.#options
    const names = [keys.orders, keys.active, keys.requests, keys.order, keys.orderOf(this.#kind.useCaseOf(record))]
    const { idOf, createMs, write } = this.#kind
    const text = write(record)
    const args = [idOf(record), text, createMs(record), request, JSON.stringify(audit), activeMax, keptMax, outboxEntriesMax]
    const reply = await askRedis(() => createScript(redis, [...names, control.changes, control.outbox], args))
    const [kind, same] = (reply as Buffer[]).map(String)
    if (kind === 'SAME') return this.#kind.read(same!)
    this.#requireWritten(kind!)
    return record
  }

  /** Answers whether `record`, the next revision of what was read, was written: not when somebody changed it in between. */
  async replace(record: R, active: boolean, audit?: ChangeRow): Promise<boolean> {
    const { redis, keys, control, outboxEntriesMax } = this.#options
    const args = [this.#kind.idOf(record), record.revision - 1, this.#kind.write(record), active ? 1 : 0]
    const reply = await askRedis(() =>
      replaceScript(
        redis,
        [keys.orders, keys.active, control.changes, control.outbox],
        [...args, audit ? JSON.stringify(audit) : '', outboxEntriesMax],
      ),
    )
    const kind = String((reply as Buffer[])[0])
    if (kind === 'CONFLICT') return false
    this.#requireWritten(kind)
    return true
  }

  async #readAll(ids: readonly string[]): Promise<R[]> {
    if (ids.length === 0) return []
    const { redis, keys } = this.#options
    const texts = await askRedis(() => redis.hmget(keys.orders, ...ids))
    return texts.filter((text) => text !== null).map((text) => this.#kind.read(text))
  }

  #requireWritten(kind: string): void {
    const { activeMax, outboxEntriesMax } = this.#options
    switch (kind) {
      case 'WRITTEN':
        return
      case 'ACTIVE_FULL':
        throw new QueryError(
          'LIMIT_EXCEEDED',
          `${activeMax} ${this.#kind.what} are active, as many as may be: wait for some, or cancel them`,
        )
      case 'OUTBOX_FULL':
        throw outboxFull(outboxEntriesMax)
      case 'UNPREPARED':
        throw unprepared()
      default:
        throw new Error(`a script for ${this.#kind.what} answered ${kind}`)
    }
  }
}
