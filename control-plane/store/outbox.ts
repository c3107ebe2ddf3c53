import { setTimeout as sleep } from 'node:timers/promises'
import { backoffMs } from '../../runtime/backoff.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Redis } from '../../runtime/redis.ts'
import type { AuditLog, AuditRow } from './audit-log.ts'
import { type ChangeRow, descriptorSetOf, isDefinitionAction, readUseCase } from './change.ts'
import type { ControlKeys } from './control-keys.ts'
import { freezeScript, removeScript } from './outbox-scripts.ts'
import { restore } from './restore.ts'
import { StoreError } from './store-error.ts'

/** Content hashes that are remembered; asking again costs one query. */
const storedMax = 10_000

export interface OutboxOptions {
  readonly redis: Redis
  readonly keys: ControlKeys
  readonly auditLog: AuditLog
  readonly log: Logger
  /** The term of this process' leadership, undefined while another leads. Grows with each leader. */
  readonly term: () => number | undefined
  readonly batchEntriesMax: number
  readonly batchBytesMax: number
  /** Between two looks at an empty outbox. */
  readonly intervalMs: number
  /** The longest wait after failures. */
  readonly retryMsMax: number
}

/**
 * Carries changes from Redis into ClickHouse, in order. While this process leads:
 *
 * | step | what | when it fails or the process dies |
 * |---|---|---|
 * | compare | restore what Redis has lost (only at the start of a term, and when `drained` is not what it was) | again |
 * | freeze | the oldest entries become the batch | the same batch is answered again |
 * | insert | descriptor sets, then rows, with the batch's token | again: ClickHouse drops the repetition |
 * | remove | entries up to the batch's last go | again: inserted once more, dropped |
 */
export class Outbox {
  /** Changes that have become part of the audit. */
  carriedChanges = 0
  /** Changes wait, because the audit or Redis does not answer. */
  isFailing = false
  readonly #options: OutboxOptions
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined
  /** The term that has compared, and the last change id that it saw removed. */
  #compared: { readonly term: number; readonly drained: string } | undefined
  /** Content hashes that ClickHouse has, as far as this process knows. */
  readonly #stored = new Set<string>()

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Ends after the step that is on its way. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  /** Carries over one batch; answers how many changes it had, 0 when there is nothing to do or another leads. */
  async drainBatch(): Promise<number> {
    const { redis, keys, batchEntriesMax, batchBytesMax } = this.#options
    const term = this.#options.term()
    if (term === undefined) return 0
    if (this.#compared?.term !== term) await this.#compare(term)
    const reply = await freezeScript(redis, [keys.changes, keys.outbox], [term, batchEntriesMax, batchBytesMax])
    const [kind, drained, entries] = reply as [Buffer, Buffer, [Buffer, [Buffer, Buffer]][]]
    if (String(kind) === 'DEPOSED') return 0
    if (String(kind) === 'UNPREPARED' || String(drained) !== this.#compared?.drained) {
      // Redis is not as this leader left it: it was emptied, or fell back to an older state.
      this.#compared = undefined
      throw new StoreError('STATE_UNAVAILABLE', 'Redis has lost its last writes: comparing it with the audit')
    }
    if (entries.length === 0) return 0
    const rows = entries.map(([id, [, row]]) => ({ change_id: Number.parseInt(String(id), 10), ...readRow(row) }))
    await this.#insert(rows)
    await this.#remove(term, rows.at(-1)!.change_id)
    this.carriedChanges += rows.length
    return rows.length
  }

  async #compare(term: number): Promise<void> {
    const { redis, keys } = this.#options
    await restore(this.#options, term)
    this.#compared = { term, drained: (await redis.hget(keys.changes, 'drained')) ?? '' }
  }

  async #insert(rows: readonly AuditRow[]): Promise<void> {
    const { auditLog } = this.#options
    for (const row of rows) {
      const sha256 = row.after === '' || !isDefinitionAction(row.action) ? undefined : descriptorSetOf(readUseCase(row.after))
      if (sha256) await this.#insertDescriptorSet(sha256, row)
    }
    await auditLog.insertChanges(rows, `use-case-changes/${rows[0]!.change_id}-${rows.at(-1)!.change_id}`)
  }

  async #insertDescriptorSet(sha256: string, row: AuditRow): Promise<void> {
    const { redis, keys, auditLog, log } = this.#options
    if (this.#stored.has(sha256)) return
    if (!(await auditLog.hasDescriptorSet(sha256))) {
      const bytes = await redis.hgetBuffer(keys.descriptorSets, sha256)
      if (bytes) await auditLog.insertDescriptorSet(sha256, bytes, row.change_time)
      else log.error({ sha256, useCase: row.use_case }, 'store: a change names a descriptor set that Redis does not have')
    }
    if (this.#stored.size >= storedMax) this.#stored.clear()
    this.#stored.add(sha256)
  }

  async #remove(term: number, last: number): Promise<void> {
    const { redis, keys } = this.#options
    const reply = await removeScript(redis, [keys.changes, keys.outbox], [term, last, last + 1])
    const [kind, drained] = (reply as Buffer[]).map(String)
    if (kind === 'REMOVED') this.#compared = { term, drained: drained! }
  }

  async #run(): Promise<void> {
    const { intervalMs, retryMsMax, log } = this.#options
    const { signal } = this.#stopping
    let failures = 0
    while (!signal.aborted) {
      let waitMs = 0
      try {
        if ((await this.drainBatch()) === 0) waitMs = intervalMs
        if (failures > 0) log.info({ failures }, 'store: changes are written to the audit again')
        failures = 0
        this.isFailing = false
      } catch (error) {
        this.isFailing = true
        if (failures++ === 0) log.warn({ error: String(error) }, 'store: changes wait to be written to the audit, trying again')
        waitMs = backoffMs(failures, intervalMs, retryMsMax, 0.5 + Math.random() / 2)
      }
      await sleep(waitMs, undefined, { signal }).catch(() => {})
    }
  }
}

const readRow = (row: Buffer): ChangeRow => JSON.parse(String(row)) as ChangeRow
