import { randomBytes } from 'node:crypto'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ClickHouseClient, connectClickHouse } from '../../runtime/clickhouse.ts'
import type { StackAddresses } from '../../test/global-setup.ts'
import { sharedStack } from '../../test/stack.ts'
import { type MigrateOptions, type Migration, migrate, pendingMigrations, readMigrations } from './migrate.ts'
import { migrationLock } from './migration-lock.ts'
import { openSampleControl, type SampleControl, silentLog } from './sample-control.ts'

const migration = (version: number, checksum = `sum${version}`, statements: string[] = []): Migration => ({
  version,
  name: `000${version}-x.sql`,
  checksum,
  statements,
})

describe('what is to be applied', () => {
  test('is what the database does not have, in order', () => {
    const applied = new Map([[1, { name: '0001-x.sql', checksum: 'sum1' }]])
    expect(
      pendingMigrations(
        [1, 2, 3].map((each) => migration(each)),
        applied,
      ).map((each) => each.version),
    ).toEqual([2, 3])
  })

  test('is nothing when an applied file has changed: the error names it', () => {
    const applied = new Map([[1, { name: '0001-old.sql', checksum: 'other' }]])
    expect(() => pendingMigrations([migration(1), migration(2)], applied)).toThrow(/0001-x\.sql \(applied as 0001-old\.sql\)/)
  })

  test('leaves alone what a newer build has applied', () => {
    const applied = new Map([1, 2].map((each) => [each, { name: '', checksum: `sum${each}` }]))
    expect(pendingMigrations([migration(1)], applied)).toEqual([])
  })
})

// MODIFY QUERY is not among them: after it a view keeps other deduplication tokens until ClickHouse restarts than from then on, so
// that an insert which is repeated across that restart is in the view's table twice.
test('every statement of every file does nothing the second time', async () => {
  for (const { name, statements } of await readMigrations()) {
    expect(statements.length, name).toBeGreaterThan(0)
    for (const statement of statements) {
      const text = statement.replaceAll(/^--.*$/gm, '').trim()
      expect(text, name).toMatch(
        /^(CREATE (TABLE|VIEW|MATERIALIZED VIEW) IF NOT EXISTS|CREATE OR REPLACE VIEW|DROP \w+ IF EXISTS|ALTER TABLE \w+ ((ADD|DROP|RENAME|CLEAR) \w+ IF (NOT )?EXISTS|MODIFY COLUMN))/,
      )
    }
  }
})

describe('on a database', () => {
  let stack: StackAddresses
  let control: SampleControl
  let database: string
  let server: ClickHouseClient

  beforeAll(async () => {
    stack = await sharedStack()
  })
  beforeEach(() => {
    control = openSampleControl(stack.redisUrl)
    database = `test_${randomBytes(6).toString('hex')}`
    server = connectClickHouse(stack.clickhouseUrl, 'default', 10_000)
  })
  afterEach(async () => {
    await server.command({ query: `DROP DATABASE IF EXISTS ${database} SYNC` })
    await server.close()
    await control.close()
  })

  const run = (over: Partial<MigrateOptions> = {}): Promise<string[]> =>
    migrate({
      clickhouseUrl: stack.clickhouseUrl,
      database,
      statementTimeoutMs: 10_000,
      log: silentLog,
      withLock: migrationLock({ redis: control.redis, keys: control.keys, ttlMs: 5000, waitTimeoutMs: 30_000 }),
      ...over,
    })

  const select = async (query: string): Promise<string[][]> =>
    (await server.query({ query, format: 'JSONCompactEachRow' })).json<string[]>()

  test('the files of this build apply once', async () => {
    expect(await run()).toEqual((await readMigrations()).map((each) => each.name))
    expect(await run()).toEqual([])
    const tables = await select(`SELECT name FROM system.tables WHERE database = '${database}' ORDER BY name`)
    expect(tables.flat()).toEqual(expect.arrayContaining(['attempts', 'outcomes', 'use_case_changes', 'descriptor_sets']))
  })

  test('several control planes that start at once do it once', async () => {
    const done = await Promise.all([run(), run(), run()])
    expect(done.flat()).toEqual((await readMigrations()).map((each) => each.name))
    expect(await select(`SELECT version FROM ${database}.schema_migrations ORDER BY version`)).toHaveLength(done.flat().length)
  })

  test('without a lock they may do it side by side, and it is right all the same', async () => {
    const withLock: MigrateOptions['withLock'] = (work) => work()
    await Promise.all([run({ withLock }), run({ withLock }), run({ withLock })])
    expect(await run()).toEqual([])
  })

  test('a file that was left half done is done again', async () => {
    const create = (name: string): string => `CREATE TABLE IF NOT EXISTS ${name} (n UInt8) ENGINE = MergeTree ORDER BY n`
    const broken = [migration(1, 'sum1', [create('a'), 'CREATE TABLE'])]
    await expect(run({ migrations: broken })).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' })
    expect(await run({ migrations: [migration(1, 'sum1', [create('a'), create('b')])] })).toEqual(['0001-x.sql'])
  })

  test('a file that changed after it was applied is an error that says so, and nothing is applied', async () => {
    await run({ migrations: [migration(1, 'sum1', ['SELECT 1'])] })
    const changed = run({ migrations: [migration(1, 'sum2'), migration(2)] })
    await expect(changed).rejects.toMatchObject({ code: 'MIGRATION_CHANGED' })
    expect(await run({ migrations: [migration(1)] })).toEqual([])
  })

  test('the lock of a process that died is free after its time', async () => {
    await control.redis.set(control.keys.migration, 'dead', 'PX', 300)
    expect((await run()).length).toBeGreaterThan(0)
  })

  test('the wait for another ends with an error', async () => {
    await control.redis.set(control.keys.migration, 'other', 'PX', 20_000)
    const withLock = migrationLock({ redis: control.redis, keys: control.keys, ttlMs: 5000, waitTimeoutMs: 300 })
    await expect(run({ withLock })).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
  })
})
