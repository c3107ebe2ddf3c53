import { setTimeout as sleep } from 'node:timers/promises'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { defineScript, type Redis } from '../../runtime/redis.ts'
import { askRedis } from './ask-redis.ts'
import { type Change, changeRow, descriptorSetOf, isPartlyRead, readUseCase, writeUseCase } from './change.ts'
import { changeScript } from './change-script.ts'
import type { ControlKeys } from './control-keys.ts'
import { readHashScript } from './read-hash.ts'
import { outboxFull, StoreError, unprepared } from './store-error.ts'

export interface RecordsOptions {
  readonly redis: Redis
  readonly keys: ControlKeys
  readonly useCasesMax: number
  readonly useCasesPerNamespaceMax: number
  /** Changes that may wait for ClickHouse; more are refused, because the audit must be complete. */
  readonly outboxEntriesMax: number
  /** How long a call waits for a leader to find out whether an empty Redis is a new one or one that lost everything. */
  readonly preparedTimeoutMs: number
}

/**
 * CONFLICT: what is stored is not `before`; `current` is what there is.
 * NO_DESCRIPTOR_SET: the set that the definition newly names is not in Redis.
 */
export type WriteResult =
  | { readonly kind: 'WRITTEN'; readonly changeId: number }
  | { readonly kind: 'CONFLICT'; readonly current: UseCase | undefined }
  | { readonly kind: 'NO_DESCRIPTOR_SET' }

/** Answers one field, and nothing while Redis is not prepared: then that it is not there says nothing. KEYS changes hash */
const readScript = defineScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return {0} end
return {1, redis.call('HGET', KEYS[2], ARGV[1]) or nil}
`)

const preparedPollMs = 100

/** Definitions in Redis. Nothing here is decided by what a process remembers: each change is compared with what is stored. */
export class Records {
  readonly #options: RecordsOptions
  /** Changes when anything does; empty before the first read. */
  #last = ''
  #all: ReadonlyMap<string, UseCase> = new Map()
  /** Text of each definition, so that only what changed is parsed again. */
  #texts = new Map<string, string>()

  constructor(options: RecordsOptions) {
    this.#options = options
  }

  async read(name: string): Promise<UseCase | undefined> {
    const text = await this.#readField(this.#options.keys.useCases, name)
    return text === undefined ? undefined : readUseCase(text)
  }

  async readByUid(uid: string): Promise<UseCase | undefined> {
    const name = await this.#readField(this.#options.keys.uids, uid)
    const useCase = name === undefined ? undefined : await this.read(name)
    return useCase?.uid === uid ? useCase : undefined
  }

  /**
   * All definitions by name, as of now. Cheap when nothing changed since the last call; the answer must not be written to.
   * Throws STATE_UNAVAILABLE at once while an empty Redis may be one that has lost all: that is not the same as having none.
   */
  async readAll(): Promise<ReadonlyMap<string, UseCase>> {
    const { redis, keys } = this.#options
    const reply = await askRedis(() => readHashScript(redis, [keys.changes, keys.useCases], [this.#last]))
    const [last, pairs] = reply as [Buffer?, Buffer[]?]
    if (last === undefined) throw unprepared()
    if (pairs === undefined) return this.#all
    const texts = new Map<string, string>()
    const all = new Map<string, UseCase>()
    for (let index = 0; index < pairs.length; index += 2) {
      const name = pairs[index]!.toString()
      const text = pairs[index + 1]!.toString()
      const known = this.#texts.get(name) === text ? this.#all.get(name) : undefined
      texts.set(name, text)
      all.set(name, known ?? readUseCase(text))
    }
    this.#last = last.toString()
    this.#texts = texts
    this.#all = all
    return all
  }

  /** Puts `after` in the place of `before`, with an entry for the audit. Throws StoreError; then the change may have happened. */
  async write(change: Change): Promise<WriteResult> {
    const { keys, useCasesMax, useCasesPerNamespaceMax, outboxEntriesMax, redis } = this.#options
    const { before, after } = change
    const name = (after ?? before)!.name
    if (before && after && isPartlyRead(before)) throw olderThan(name)
    const row = changeRow(change)
    const set = descriptorSetOf(after)
    const newSet = set === descriptorSetOf(before) ? undefined : set
    const { useCases, uids, descriptorSets, changes, outbox } = keys
    const args = [
      ...[name, before?.uid ?? '', before ? String(before.revision) : ''],
      ...[after ? writeUseCase(after) : '', row.uid, newSet ?? ''],
      ...[JSON.stringify(row), useCasesMax, outboxEntriesMax, useCasesPerNamespaceMax],
    ]
    return this.#whenPrepared(async () => {
      const reply = await askRedis(() => changeScript(redis, [useCases, uids, descriptorSets, changes, outbox], args))
      const [kind, value] = (reply as Buffer[]).map(String)
      return kind === 'UNPREPARED' ? undefined : this.#result(kind!, value ?? '')
    })
  }

  /** Undefined when it is known that there is no such field. */
  async #readField(key: string, field: string): Promise<string | undefined> {
    const { redis, keys } = this.#options
    const found = await this.#whenPrepared(async () => {
      const [prepared, text] = (await askRedis(() => readScript(redis, [keys.changes, key], [field]))) as [number, Buffer?]
      return prepared === 0 ? undefined : { text }
    })
    return found.text?.toString()
  }

  /** Asks until there is an answer, while a leader finds out whether an empty Redis is a new one or one that lost everything. */
  async #whenPrepared<T>(ask: () => Promise<T | undefined>): Promise<T> {
    const deadlineMs = performance.now() + this.#options.preparedTimeoutMs
    for (;;) {
      const answer = await ask()
      if (answer !== undefined) return answer
      if (performance.now() > deadlineMs) throw unprepared()
      await sleep(preparedPollMs)
    }
  }

  #result(kind: string, value: string): WriteResult {
    const { useCasesMax, useCasesPerNamespaceMax, outboxEntriesMax } = this.#options
    switch (kind) {
      case 'WRITTEN':
        return { kind, changeId: Number(value) }
      case 'CONFLICT':
        return { kind, current: value === '' ? undefined : readUseCase(value) }
      case 'USE_CASES_FULL':
        throw new StoreError(
          'LIMIT_EXCEEDED',
          `there are ${useCasesMax} use cases, as many as may be: delete one that is not needed`,
        )
      case 'NAMESPACE_FULL':
        throw new StoreError(
          'LIMIT_EXCEEDED',
          `there are ${useCasesPerNamespaceMax} use cases in the namespace, as many as may be: delete one that is not needed`,
        )
      case 'OUTBOX_FULL':
        throw outboxFull(outboxEntriesMax)
      case 'NO_DESCRIPTOR_SET':
        return { kind }
      default:
        throw new Error(`the change script answered ${kind}`)
    }
  }
}

const olderThan = (name: string): StoreError =>
  new StoreError(
    'STATE_UNAVAILABLE',
    `${name} has fields that this control plane is too old to know and would lose: call again, a newer replica can change it`,
  )
