import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { type ClickHouseClient, connectClickHouse } from '../../runtime/clickhouse.ts'
import type { Logger } from '../../runtime/log.ts'
import { StoreError } from './store-error.ts'

/** A file of store/migrations/. Every statement must do nothing when it has been done already. */
export interface Migration {
  readonly version: number
  readonly name: string
  readonly checksum: string
  readonly statements: readonly string[]
}

export interface MigrateOptions {
  readonly clickhouseUrl: string
  readonly database: string
  /** Of each statement. */
  readonly statementTimeoutMs: number
  readonly log: Logger
  /** Runs the work while no other control plane does; see migrationLock. */
  readonly withLock: <T>(work: () => Promise<T>) => Promise<T>
  readonly migrations?: readonly Migration[]
}

const historyTable = `
CREATE TABLE IF NOT EXISTS schema_migrations
(
    version UInt32, name String, checksum String, apply_time DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY version
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1`

/**
 * Brings the database to this build's schema: creates it, and applies what it does not have yet, in order. Answers the names of
 * the applied ones. A process that dies in between leaves a file half done and not recorded: the next one applies it again.
 */
export async function migrate(options: MigrateOptions): Promise<string[]> {
  const { clickhouseUrl, database, statementTimeoutMs, log, withLock } = options
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(database)) throw new Error(`${JSON.stringify(database)} is no name for a database`)
  const migrations = options.migrations ?? (await readMigrations())
  // The database may not exist yet, and a request that names one that does not exist fails.
  const server = connectClickHouse(clickhouseUrl, 'default', statementTimeoutMs)
  const clickhouse = connectClickHouse(clickhouseUrl, database, statementTimeoutMs)
  const run = (client: ClickHouseClient, query: string): Promise<void> => runStatement(client, query, statementTimeoutMs)
  try {
    return await withLock(async () => {
      await run(server, `CREATE DATABASE IF NOT EXISTS ${database}`)
      await run(clickhouse, historyTable)
      const pending = pendingMigrations(migrations, await readHistory(clickhouse, statementTimeoutMs))
      for (const migration of pending) {
        for (const statement of migration.statements) await run(clickhouse, statement)
        await recordApplied(clickhouse, migration, statementTimeoutMs)
        log.info({ migration: migration.name }, 'store: migration applied')
      }
      return pending.map((each) => each.name)
    })
  } finally {
    await Promise.all([server.close(), clickhouse.close()])
  }
}

/** What is to be applied; throws MIGRATION_CHANGED when an applied file is not what it was. A newer build's are left alone. */
export function pendingMigrations(migrations: readonly Migration[], applied: ReadonlyMap<number, Applied>): Migration[] {
  const changed = migrations.filter((each) => (applied.get(each.version)?.checksum ?? each.checksum) !== each.checksum)
  if (changed.length > 0) {
    const names = changed.map((each) => `${each.name} (applied as ${applied.get(each.version)!.name})`).join(', ')
    throw new StoreError(
      'MIGRATION_CHANGED',
      `${names} is not the file that was applied to this database: put the old content back, and make the change in a new file`,
    )
  }
  return migrations.filter((each) => !applied.has(each.version))
}

export interface Applied {
  readonly name: string
  readonly checksum: string
}

/** Reads `NNNN-what.sql` files in order. Statements are separated by a line that holds only a semicolon. */
export async function readMigrations(directory = new URL('./migrations/', import.meta.url)): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort()
  return Promise.all(
    names.map(async (name, index) => {
      const version = Number(/^(\d{4})-[a-z0-9-]+\.sql$/.exec(name)?.[1])
      if (version !== index + 1) throw new Error(`migration ${name} must be named ${String(index + 1).padStart(4, '0')}-what.sql`)
      const text = await readFile(new URL(name, directory), 'utf8')
      const statements = text.split(/^;\s*$/m).filter((each) => each.replaceAll(/^--.*$/gm, '').trim() !== '')
      return { version, name, checksum: createHash('sha256').update(text).digest('hex'), statements }
    }),
  )
}

async function readHistory(clickhouse: ClickHouseClient, timeoutMs: number): Promise<Map<number, Applied>> {
  const result = await clickhouse.query({
    query: 'SELECT version, name, checksum FROM schema_migrations FINAL ORDER BY version',
    format: 'JSONEachRow',
    abort_signal: AbortSignal.timeout(timeoutMs),
  })
  const rows = await result.json<{ version: number; name: string; checksum: string }>()
  return new Map(rows.map((row) => [row.version, row]))
}

async function recordApplied(clickhouse: ClickHouseClient, migration: Migration, timeoutMs: number): Promise<void> {
  const { version, name, checksum } = migration
  await clickhouse.insert({
    table: 'schema_migrations',
    values: [{ version, name, checksum, apply_time: Date.now() }],
    format: 'JSONEachRow',
    abort_signal: AbortSignal.timeout(timeoutMs),
    clickhouse_settings: { async_insert: 0, wait_end_of_query: 1 },
  })
}

async function runStatement(clickhouse: ClickHouseClient, query: string, timeoutMs: number): Promise<void> {
  try {
    await clickhouse.command({
      query,
      abort_signal: AbortSignal.timeout(timeoutMs),
      clickhouse_settings: { max_execution_time: Math.ceil(timeoutMs / 1000), wait_end_of_query: 1 },
    })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    const start = query
      .replaceAll(/^--.*$/gm, '')
      .trim()
      .split('\n')[0]
    throw new StoreError('LOG_UNAVAILABLE', `ClickHouse did not run ${JSON.stringify(start)}: ${why}`, error)
  }
}
