import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newSubject, silent, TestLog } from '../../control-plane/attempts/test-log.ts'
import { migrate } from '../../control-plane/store/migrate.ts'
import { connectClickHouse } from '../../runtime/clickhouse.ts'
import { connectRedis } from '../../runtime/redis.ts'
import { sharedStack } from '../../test/stack.ts'
import { clickhouseSpec } from '../local/clickhouse.ts'
import { freePort } from '../local/free-port.ts'
import { Part } from '../local/part.ts'
import { statementsOf, usersFile } from './users-file.ts'

const root = join(import.meta.dirname, '../..')
const sql = readFileSync(join(import.meta.dirname, 'analysts.sql'), 'utf8')
const dataDir = mkdtempSync(join(tmpdir(), `ferry-test-${process.pid}-`))

let part: Part
let log: TestLog

beforeAll(async () => {
  mkdirSync(dataDir, { recursive: true })
  const users = join(dataDir, 'users.xml')
  writeFileSync(users, usersFile(sql))
  part = new Part({ ...clickhouseSpec(dataDir, await freePort(), users), onDeath: () => {} })
  await part.start()
  const url = `http://127.0.0.1:${part.port}`
  await migrate({ clickhouseUrl: url, database: 'ferry', statementTimeoutMs: 30_000, log: silent, withLock: (work) => work() })
  const redis = connectRedis((await sharedStack()).redisUrl, 5000, silent)
  log = new TestLog(connectClickHouse(url, 'ferry', 30_000), redis, 'ferry')
  await fill()
})
afterAll(async () => {
  await log?.close()
  await part?.kill()
  rmSync(dataDir, { recursive: true, force: true })
})

/** A little of everything that the page asks for. */
async function fill(): Promise<void> {
  const subject = newSubject({ name: 'namespaces/shop/useCases/orders' })
  const failed = { outcome: 'FAILED', status: 422, responseBody: 'no customer 7', packed: 'secret' } as const
  await log.insertAttempts(subject, [
    { offset: 1, key: 'customer-7' },
    { offset: 2, outcome: 'RETRY', status: 503 },
    { offset: 2, attempt: 2 },
    { offset: 3, ...failed },
    { offset: 4, sentMs: Date.now() - 86_400_000 },
  ])
  await log.insertRange(subject, 0, 'BEFORE_START', [[0, 0]])
  const change = {
    ...{ change_id: 1, change_time: Date.now(), actor: 'ann', action: 'CREATE', namespace: 'shop', use_case: 'orders' },
    ...{ uid: subject.uid, revision: 1, reason: '', before: '', after: '{}' },
  }
  await log.clickhouse.insert({ table: 'use_case_changes', values: [change], format: 'JSONEachRow' })
}

async function ask(query: string, settings = ''): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${part.port}/?user=analyst&${settings}`, { method: 'POST', body: query })
  return answer.text()
}

const page = readFileSync(join(root, 'docs/analysts.md'), 'utf8')
const ready = [...page.matchAll(/<!-- tested -->\n```sql\n(.*?)```/gs)].map((match) => match[1]!.trim())

test('the page has a ready query for each view that it names', () => {
  for (const view of [
    'attempts_live',
    'deliveries',
    'attempts_per_minute',
    'attempts_per_hour',
    'failure_groups',
    'use_case_history',
  ])
    expect([view, ready.some((query) => query.includes(`ferry.${view}`))]).toEqual([view, true])
})

test.each(ready.map((query) => [query.replaceAll(/\s+/g, ' ').slice(0, 80), query]))(
  '%s... answers rows, as an analyst',
  async (_, query) => {
    const rows = (await ask(`${query} FORMAT JSONEachRow`)).trim()
    expect(rows).toMatch(/^\{/)
  },
)

const variables = { namespace: 'shop', use_case: 'orders' } as const

/** What Grafana's plug-in makes of its macros. */
const expand = (query: string): string =>
  query
    .replaceAll(/\$\{(\w+)\}/g, (_, name: 'namespace' | 'use_case') => variables[name])
    .replaceAll('$__interval_s', '60')
    .replaceAll(/\$__timeInterval\((\w+)\)/g, 'toStartOfInterval(toDateTime($1), INTERVAL 60 second)')
    .replaceAll(/\$__timeFilter\((\w+)\)/g, '$1 >= now() - 172800 AND $1 <= now() + 60')
    .replaceAll('$__fromTime', '(now() - 172800)')
    .replaceAll('$__toTime', 'now()')

test('every query of the dashboard answers rows, as an analyst', async () => {
  const dashboard = JSON.parse(readFileSync(join(root, 'deploy/grafana/ferry.json'), 'utf8'))
  const queries: string[] = [
    ...dashboard.panels.flatMap((panel: { targets: { rawSql: string }[] }) => panel.targets.map(({ rawSql }) => rawSql)),
    ...dashboard.templating.list.flatMap((each: { type: string; query: string }) => (each.type === 'query' ? [each.query] : [])),
    ...dashboard.annotations.list.map((each: { target: { rawSql: string } }) => each.target.rawSql),
  ]
  expect(queries.length).toBeGreaterThan(12)
  for (const query of queries)
    expect([query, await ask(`${expand(query)} FORMAT JSONEachRow`)]).toEqual([query, expect.stringMatching(/^\{/)])
})

test('each statement of the role is one that ClickHouse understands', async () => {
  const statements = statementsOf(sql)
  expect(statements.length).toBeGreaterThan(10)
  for (const statement of statements) {
    const answer = await log.clickhouse.query({ query: `EXPLAIN AST ${statement}`, format: 'TabSeparated' })
    expect(await answer.text()).toMatch(/^Create|^Grant/)
  }
})

test('an analyst changes nothing, sees no raw records, and cannot lift the limits', async () => {
  const denied = /ACCESS_DENIED|READONLY/
  expect(
    await log.clickhouse.query({ query: 'SELECT count() FROM payloads', format: 'TabSeparated' }).then((rows) => rows.text()),
  ).toBe('1\n')
  for (const statement of [
    ...['SELECT * FROM ferry.payloads', 'SELECT * FROM ferry.descriptor_sets', 'INSERT INTO ferry.attempts (uid) VALUES (1)'],
    ...[
      'DROP TABLE ferry.attempts',
      'ALTER TABLE ferry.outcomes DELETE WHERE true',
      'CREATE TABLE ferry.x (a UInt8) ENGINE = Memory',
    ],
    ...["SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')", 'SYSTEM STOP MERGES ferry.attempts'],
  ])
    expect([statement, await ask(statement)]).toEqual([statement, expect.stringMatching(denied)])
  expect(await ask('SELECT 1', 'max_execution_time=61')).toMatch(/SETTING_CONSTRAINT_VIOLATION/)
  expect(await ask('SELECT 1', 'readonly=0')).toMatch(/READONLY|SETTING_CONSTRAINT/)
  expect(await ask("SELECT getSetting('max_execution_time'), getSetting('max_threads')")).toBe('30\t2\n')
  expect(await ask('SELECT * FROM numbers(200000) FORMAT Null')).toMatch(/TOO_MANY_ROWS/)
})
