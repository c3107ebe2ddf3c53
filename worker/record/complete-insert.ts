import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ClickHouseClient, ClickHouseError, type ClickHouseSettings } from '@clickhouse/client'
import { type LaneBounds, type RowBounds, readBounds } from './row-bounds.ts'

// ClickHouse writes down an insert's token before it commits the rows. Killed in between, it has the token and not the rows: the
// same insert is then taken for done, and acknowledged, and its rows are nowhere. So whoever repeats an insert that may have begun
// looks, after it is acknowledged, for the rows in each table that the views write to, and inserts those that are not there.
//
//   all rows are there (nearly always)  | done
//   some are not                        | waits until no earlier try of the insert can still be at work, then inserts what is
//                                       | still not there, under a token that is used once

interface Target {
  readonly table: string
  /** What tells its rows apart. */
  readonly identity: string
  /** Which of its rows have to be there: others may have expired. */
  readonly keeps: string
  /** Where to look for them, by its primary key. */
  readonly where: (bounds: RowBounds) => string
}

/** The tables behind the views. */
const targets: readonly Target[] = [
  {
    table: 'attempts',
    identity: 'uid, cluster, topic, partition, replay, offset, round, epoch, attempt',
    keeps: 'expire_time > now()',
    where: ({ uids, minMs, maxMs }) =>
      `uid IN (${uids.map(quote).join(', ')}) AND attempt_time BETWEEN ${time(minMs)} AND ${time(maxMs)}`,
  },
  {
    table: 'outcomes',
    identity: 'uid, cluster, topic, partition, replay, offset, round, epoch, attempt',
    keeps: 'true',
    where: ({ lanes }) => lanes.map(inLane).join(' OR '),
  },
  {
    table: 'payloads',
    identity: 'uid, cluster, topic, partition, offset, end_time',
    keeps: 'expire_time > now()',
    where: ({ lanes }) => lanes.map(inLane).join(' OR '),
  },
]

/** ClickHouse's FUNCTION_THROW_IF_VALUE_IS_NON_ZERO. */
const SOME_ARE_MISSING = 395

/** A query names every lane of the insert. */
const QUERY_BYTES_MAX = 2 ** 20

/** Inserts those of the rows of attempt_inserts that did not reach their tables; resolves when all are durable there. */
export async function completeInsert(client: ClickHouseClient, rows: Buffer, token: string, timeoutMs: number): Promise<void> {
  const bounds = readBounds(rows)
  const selects = await readSelects(client, timeoutMs)
  for (const { table, identity, keeps, where } of targets) {
    const view = selects.get(table)
    if (view === undefined)
      throw new Error(`ClickHouse has no view attempt_inserts_to_${table}: start a control plane of this release`)
    const missing = `(${view.select}) WHERE ${keeps} AND (${identity}) NOT IN (SELECT ${identity} FROM ${table} WHERE ${where(bounds)})`
    const probe = `INSERT INTO FUNCTION null('missing UInt8') SELECT throwIf(count() > 0) AS missing FROM ${missing} FORMAT RowBinary`
    if (await holds(execute(client, probe, rows, timeoutMs, {}))) continue
    await sleep(timeoutMs)
    const insert = `INSERT INTO ${table} (${view.columns}) SELECT ${view.columns} FROM ${missing} FORMAT RowBinary`
    await execute(client, insert, rows, timeoutMs, { insert_deduplication_token: `${token}.${randomUUID()}` })
  }
}

interface ViewSelect {
  readonly columns: string
  /** What the view selects, from the rows that come with the request. */
  readonly select: string
}

async function readSelects(client: ClickHouseClient, timeoutMs: number): Promise<Map<string, ViewSelect>> {
  const query = `
    SELECT replaceOne(t.name, 'attempt_inserts_to_', '') AS target, t.as_select AS select,
        (SELECT arrayStringConcat(groupArray(concat(name, ' ', type)), ', ') FROM
            (SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = 'attempt_inserts' ORDER BY position)) AS structure,
        (SELECT groupArray((table, name)) FROM (SELECT table, name FROM system.columns WHERE database = currentDatabase() AND table LIKE 'attempt_inserts_to_%' ORDER BY table, position)) AS columns
    FROM system.tables AS t WHERE database = currentDatabase() AND engine = 'MaterializedView' AND name LIKE 'attempt_inserts_to_%'`
  const answer = await client.query({ query, format: 'JSONEachRow', abort_signal: AbortSignal.timeout(timeoutMs) })
  const views = await answer.json<{ target: string; select: string; structure: string; columns: [string, string][] }>()
  return new Map(
    views.map(({ target, select, structure, columns }) => {
      const names = columns.filter(([table]) => table === `attempt_inserts_to_${target}`).map(([, name]) => name)
      return [
        target,
        {
          columns: names.join(', '),
          select: select.replace(/FROM \S+attempt_inserts\b/, () => `FROM input(${quote(structure)})`),
        },
      ]
    }),
  )
}

async function execute(
  client: ClickHouseClient,
  query: string,
  rows: Buffer,
  timeoutMs: number,
  settings: ClickHouseSettings,
): Promise<void> {
  const { stream } = await client.exec({
    query,
    values: Readable.from([rows], { objectMode: false }),
    abort_signal: AbortSignal.timeout(timeoutMs),
    clickhouse_settings: {
      ...{ async_insert: 0, wait_end_of_query: 1, max_execution_time: Math.max(1, Math.floor(timeoutMs / 1000)) },
      max_query_size: String(QUERY_BYTES_MAX),
      ...settings,
    },
  })
  await finished(stream.resume())
}

async function holds(probe: Promise<void>): Promise<boolean> {
  try {
    await probe
    return true
  } catch (error) {
    if (error instanceof ClickHouseError && Number(error.code) === SOME_ARE_MISSING) return false
    throw error
  }
}

const inLane = ({ uid, cluster, topic, partition, minOffset, maxOffset }: LaneBounds): string =>
  `(uid = ${quote(uid)} AND cluster = ${quote(cluster)} AND topic = ${quote(topic)} AND partition = ${partition} AND offset BETWEEN ${minOffset} AND ${maxOffset})`

const time = (ms: number): string => `fromUnixTimestamp64Milli(${ms})`

const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
