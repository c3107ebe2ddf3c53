// What tests of the read side share: the log's tables in a database of their own, with rows as workers would have written them.

import { randomBytes } from 'node:crypto'
import { pino } from 'pino'
import { type ClickHouseClient, connectClickHouse } from '../../runtime/clickhouse.ts'
import { connectRedis, type Redis } from '../../runtime/redis.ts'
import { sharedStack } from '../../test/stack.ts'
import { migrate } from '../store/migrate.ts'
import { LogReader } from './log-reader.ts'
import type { Subject } from './subject.ts'

export const silent = pino({ level: 'silent' })

const limits = { executionTimeoutMs: 20_000, rowsToReadMax: 100_000_000, groupBytesMax: 500_000_000 }

/** An attempt in few words; what is left out is like that of a delivered record. */
export interface GivenAttempt {
  readonly partition?: number
  readonly offset: number
  readonly round?: number
  readonly epoch?: number
  readonly attempt?: number
  readonly outcome?: 'DELIVERED' | 'FAILED' | 'SKIPPED' | 'SUPERSEDED' | 'RETRY'
  readonly reason?: string
  readonly status?: number
  /** Unix ms. */
  readonly sentMs?: number
  /** Unix ms of the record. */
  readonly recordMs?: number
  readonly latencyMs?: number
  readonly expireMs?: number
  readonly key?: string
  readonly keyHash?: number
  readonly requestBody?: string
  readonly responseBody?: string
  readonly error?: string
  readonly batch?: string
  readonly trigger?: string
  readonly purpose?: 'DELIVER' | 'SHADOW' | 'TEST'
  readonly replay?: string
  readonly worker?: string
  readonly item?: number
  /** Raw bytes of the record, kept in payloads. */
  readonly packed?: string
}

export class TestLog {
  readonly clickhouse: ClickHouseClient
  readonly redis: Redis
  readonly reader: LogReader
  readonly #database: string

  constructor(clickhouse: ClickHouseClient, redis: Redis, database: string) {
    this.clickhouse = clickhouse
    this.redis = redis
    this.reader = new LogReader(clickhouse, limits)
    this.#database = database
  }

  /** `token`: as a worker gives one, so that a repeat changes nothing. */
  async insertAttempts(subject: Subject, rows: readonly GivenAttempt[], token?: string): Promise<void> {
    const values = rows.map((row) => attemptInsert(subject, row))
    const once = token && { insert_deduplication_token: token, deduplicate_blocks_in_dependent_materialized_views: 1 as const }
    await this.clickhouse.insert({ table: 'attempt_inserts', values, format: 'JSONEachRow', clickhouse_settings: { ...once } })
  }

  async insertRange(
    subject: Subject,
    partition: number,
    kind: string,
    runs: readonly [number, number][],
    reason = '',
  ): Promise<void> {
    const { uid, cluster, topic } = subject
    const row = { uid, cluster, topic, partition, replay: '', kind, reason, runs, epoch: 1, worker: 'w', range_time: Date.now() }
    await this.clickhouse.insert({ table: 'ranges', values: [row], format: 'JSONEachRow' })
  }

  async close(): Promise<void> {
    await this.clickhouse.command({ query: `DROP DATABASE ${this.#database}` })
    await this.clickhouse.close()
    this.redis.disconnect()
  }
}

export async function openTestLog(): Promise<TestLog> {
  const { clickhouseUrl, redisUrl } = await sharedStack()
  const database = `test_${randomBytes(6).toString('hex')}`
  await migrate({ clickhouseUrl, database, statementTimeoutMs: 30_000, log: silent, withLock: (work) => work() })
  return new TestLog(connectClickHouse(clickhouseUrl, database, 30_000), connectRedis(redisUrl, 5000, silent), database)
}

/** A use case that nobody else has. */
export function newSubject(more: Partial<Subject> = {}): Subject {
  const uid = `u${randomBytes(6).toString('hex')}`
  return { name: `namespaces/test/useCases/${uid}`, uid, cluster: 'default', topic: `t-${uid}`, keyOrder: false, ...more }
}

function attemptInsert({ uid, name, cluster, topic }: Subject, row: GivenAttempt) {
  const [, namespace, , useCase] = name.split('/')
  const sentMs = row.sentMs ?? Date.now() - 60_000
  const outcome = row.outcome ?? 'DELIVERED'
  return {
    ...{
      uid,
      namespace,
      use_case: useCase,
      revision: 3,
      cluster,
      topic,
      partition: row.partition ?? 0,
      replay: row.replay ?? '',
    },
    ...{
      epoch: row.epoch ?? 100,
      worker: row.worker ?? 'worker-1',
      purpose: row.purpose ?? 'DELIVER',
      method: 'POST',
      url: 'http://127.0.0.1/hook',
    },
    ...{ offset: row.offset, round: row.round ?? 0, attempt: row.attempt ?? 1, request_id: 7, item: row.item ?? 0 },
    trigger: row.trigger ?? ((row.round ?? 0) > 0 ? 'RETRY_BATCH' : (row.attempt ?? 1) > 1 ? 'RETRY' : 'INITIAL'),
    retry_batch: row.batch ?? '',
    outcome,
    reason: row.reason ?? (outcome === 'DELIVERED' ? 'NONE' : 'NON_RETRYABLE_STATUS'),
    status: row.status ?? (outcome === 'DELIVERED' ? 200 : 400),
    attempt_time: sentMs,
    expire_time: Math.ceil((row.expireMs ?? sentMs + 3 * 86_400_000) / 1000),
    latency_us: (row.latencyMs ?? 2) * 1000,
    record_time: row.recordMs ?? sentMs - 1000,
    key: row.key ?? '',
    key_hash: row.keyHash ?? 0,
    request_headers: { 'content-type': 'application/json' },
    request_body: row.requestBody ?? '{}',
    request_bytes: (row.requestBody ?? '{}').length,
    response_headers: { server: 'test' },
    response_body: row.responseBody ?? '',
    response_bytes: (row.responseBody ?? '').length,
    error: row.error ?? '',
    packed_record: row.packed ?? '',
  }
}
