import { readdir, readFile } from 'node:fs/promises'
import { type ClickHouseClient, connectClickHouse } from '../../runtime/clickhouse.ts'
import type { Attempt, LaneColumns } from './attempt.ts'

export interface SampleLog {
  readonly clickhouse: ClickHouseClient
  readonly database: string
  rows<T>(query: string): Promise<T[]>
  close(): Promise<void>
}

const migrations = new URL('../../control-plane/store/migrations/', import.meta.url)

/** For tests: the log's tables, in a database of their own. */
export async function createSampleLog(clickhouseUrl: string, timeoutMs = 5000): Promise<SampleLog> {
  const database = `ferry_${crypto.randomUUID().replaceAll('-', '')}`
  const server = connectClickHouse(clickhouseUrl, 'default', 20_000)
  const clickhouse = connectClickHouse(clickhouseUrl, database, timeoutMs)
  await server.command({ query: `CREATE DATABASE ${database}` })
  for (const name of (await readdir(migrations)).filter((each) => each.endsWith('.sql')).sort()) {
    const text = await readFile(new URL(name, migrations), 'utf8')
    const statements = text.split(/^;\s*$/m).filter((each) => each.replaceAll(/^--.*$/gm, '').trim() !== '')
    for (const query of statements) await clickhouse.command({ query })
  }
  return {
    clickhouse,
    database,
    rows: async <T>(query: string) => (await clickhouse.query({ query, format: 'JSONEachRow' })).json<T>(),
    close: async () => {
      await server.command({ query: `DROP DATABASE ${database}` })
      await Promise.all([server.close(), clickhouse.close()])
    },
  }
}

export const sampleLane: LaneColumns = {
  ...{ uid: 'u1', namespace: 'demo', useCase: 'orders', revision: 3, cluster: 'default', topic: 'orders', partition: 7 },
  ...{ epoch: 1_795_560_093_394, worker: 'instance', method: 'POST', url: 'http://127.0.0.1/orders' },
  ...{ successRetentionS: 3600, failureRetentionS: 86_400, logBody: 'ALL', requestBodyBytesMax: 65_536 },
}

export const sampleAttempt = (over: Partial<Attempt> = {}): Attempt => ({
  // So far ahead that nothing expires under a test.
  ...{ offset: 41, round: 0, attempt: 1, trigger: 1, outcome: 1, reason: 0, retryBatch: '', requestId: 9, item: 0, status: 200 },
  ...{ sentMs: 2_795_560_100_123, latencyUs: 1500, recordMs: 2_795_560_099_000, key: Buffer.from('k'), keyHash: 17 },
  ...{ requestHeaders: ['ferry-record', 'orders/7/41'], requestBody: Buffer.from('{"id":1}') },
  ...{ responseHeaders: [Buffer.from('Content-Type'), Buffer.from('application/json')] },
  ...{ responseBody: Buffer.from('{"ok":true}'), responseBytes: 11, error: '', packed: Buffer.alloc(0) },
  ...over,
})
