import { Readable } from 'node:stream'
import type { ClickHouseClient } from '../../runtime/clickhouse.ts'
import { type ChangeRow, definitionActionList } from './change.ts'
import { StoreError } from './store-error.ts'

/** A change with its id, as `use_case_changes` has it. */
export type AuditRow = ChangeRow & { readonly change_id: number }

/** The last known state of one use case by the audit. `after` is empty when it was removed. */
export interface LatestChange {
  readonly name: string
  readonly uid: string
  readonly revision: bigint
  readonly after: string
}

/** The audit in ClickHouse: every change of a use case, and the descriptor sets they name. Every wait ends after timeoutMs. */
export class AuditLog {
  readonly #clickhouse: ClickHouseClient
  readonly #timeoutMs: number

  constructor(clickhouse: ClickHouseClient, timeoutMs: number) {
    this.#clickhouse = clickhouse
    this.#timeoutMs = timeoutMs
  }

  /** The token must never be used for other rows. */
  async insertChanges(rows: readonly AuditRow[], token: string): Promise<void> {
    await this.#ask((bounds) =>
      this.#clickhouse.insert({
        table: 'use_case_changes',
        values: [...rows],
        format: 'JSONEachRow',
        ...bounds,
        clickhouse_settings: { ...bounds.clickhouse_settings, ...durable(token) },
      }),
    )
  }

  async insertDescriptorSet(sha256: string, bytes: Uint8Array, timeMs: number): Promise<void> {
    await this.#ask(async (bounds) => {
      const { stream } = await this.#clickhouse.exec({
        query: 'INSERT INTO descriptor_sets (sha256, descriptor_set, create_time) FORMAT RowBinary',
        values: Readable.from([rowBinary(sha256, bytes, timeMs)], { objectMode: false }),
        ...bounds,
        clickhouse_settings: { ...bounds.clickhouse_settings, ...durable(sha256) },
      })
      // The socket is free again when the (empty) answer has been read.
      for await (const _ of stream);
    })
  }

  async hasDescriptorSet(sha256: string): Promise<boolean> {
    const rows = await this.#select<{ n: string | number }>(
      'SELECT count() AS n FROM descriptor_sets WHERE sha256 = {sha256: String}',
      { sha256 },
    )
    return Number(rows[0]?.n) > 0
  }

  async readDescriptorSet(sha256: string): Promise<Uint8Array | undefined> {
    const rows = await this.#select<{ bytes: string }>(
      'SELECT base64Encode(descriptor_set) AS bytes FROM descriptor_sets WHERE sha256 = {sha256: String} LIMIT 1',
      { sha256 },
    )
    return rows[0] ? Buffer.from(rows[0].bytes, 'base64') : undefined
  }

  /** 0 when there is no change yet. */
  async highestChangeId(): Promise<number> {
    const rows = await this.#select<{ id: string | number }>('SELECT max(change_id) AS id FROM use_case_changes', {})
    return Number(rows[0]?.id ?? 0)
  }

  /** One row per use case whose definition has a change above the given id. */
  async latestSince(changeId: number): Promise<LatestChange[]> {
    const rows = await this.#select<{ namespace: string; use_case: string; latest: [string, string, string] }>(
      `SELECT namespace, use_case, argMax((uid, toString(revision), after), change_id) AS latest
       FROM use_case_changes WHERE change_id > {changeId: UInt64} AND action IN {actions: Array(String)} GROUP BY namespace, use_case`,
      { changeId, actions: definitionActionList },
    )
    return rows.map(({ namespace, use_case, latest: [uid, revision, after] }) => ({
      name: `namespaces/${namespace}/useCases/${use_case}`,
      uid,
      revision: BigInt(revision),
      after,
    }))
  }

  /** The last known state of each token that has a change above the given id, as its change has it. */
  async latestTokensSince(changeId: number): Promise<{ readonly id: string; readonly after: string }[]> {
    const rows = await this.#select<{ resource: string; latest: string }>(
      `SELECT resource, argMax(after, change_id) AS latest FROM use_case_changes
       WHERE change_id > {changeId: UInt64} AND startsWith(resource, 'tokens/') GROUP BY resource`,
      { changeId },
    )
    return rows.map(({ resource, latest }) => ({ id: resource.slice('tokens/'.length), after: latest }))
  }

  async #select<Row>(query: string, params: Record<string, unknown>): Promise<Row[]> {
    return this.#ask(async (bounds) => {
      const result = await this.#clickhouse.query({ query, query_params: params, format: 'JSONEachRow', ...bounds })
      return result.json<Row>()
    })
  }

  async #ask<T>(request: (bounds: Bounds) => Promise<T>): Promise<T> {
    try {
      return await request({
        abort_signal: AbortSignal.timeout(this.#timeoutMs),
        clickhouse_settings: { max_execution_time: Math.ceil(this.#timeoutMs / 1000) },
      })
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new StoreError('LOG_UNAVAILABLE', `ClickHouse does not take or answer the audit: ${why}`, error)
    }
  }
}

interface Bounds {
  readonly abort_signal: AbortSignal
  readonly clickhouse_settings: { readonly max_execution_time: number }
}

/** An insert that is answered is on disk, and done once however often it is repeated. */
const durable = (token: string) =>
  ({ async_insert: 0, wait_end_of_query: 1, insert_deduplicate: 1, insert_deduplication_token: token }) as const

/** String, String, DateTime64(3). */
function rowBinary(text: string, bytes: Uint8Array, timeMs: number): Buffer {
  const time = Buffer.alloc(8)
  time.writeBigInt64LE(BigInt(timeMs))
  return Buffer.concat([varint(text.length), Buffer.from(text), varint(bytes.length), bytes, time])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128)
  bytes.push(rest)
  return Buffer.from(bytes)
}
