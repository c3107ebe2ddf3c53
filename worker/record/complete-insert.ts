import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ClickHouseClient, ClickHouseError } from '@clickhouse/client'
import { type RowBounds, readBounds } from './row-bounds.ts'
import { sendRows } from './send-rows.ts'

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

const requestIdentity = 'uid, cluster, topic, partition, replay, offset, round, epoch, attempt'

/** The tables behind the views. */
const targets: readonly Target[] = [
  {
    table: 'attempts',
    identity: requestIdentity,
    keeps: 'expire_time > now()',
    where: ({ lanes, minMs, maxMs }) => {
      const uids = new Set(lanes.map(({ uid }) => quote(uid)))
      return `uid IN (${[...uids].join(', ')}) AND attempt_time BETWEEN ${time(minMs)} AND ${time(maxMs)}`
    },
  },
  {
    table: 'outcomes',
    identity: requestIdentity,
    keeps: 'true',
    where: inLanes,
  },
  {
    table: 'payloads',
    identity: 'uid, cluster, topic, partition, offset, end_time',
    keeps: 'expire_time > now()',
    where: inLanes,
  },
]

/** ClickHouse's FUNCTION_THROW_IF_VALUE_IS_NON_ZERO. */
const SOME_ARE_MISSING = 395

/** A query names every lane of the insert. */
const settings = { max_query_size: String(2 ** 20) }

/** Inserts those of the rows of attempt_inserts that did not reach their tables; resolves when all are durable there. */
export async function completeInsert(client: ClickHouseClient, rows: Buffer, token: string, timeoutMs: number): Promise<void> {
  const bounds = readBounds(rows)
  const selects = await selectsOf(client, timeoutMs)
  for (const { table, identity, keeps, where } of targets) {
    const view = selects.get(table)
    if (view === undefined) {
      selectsRead.delete(client)
      throw new Error(`ClickHouse has no view attempt_inserts_to_${table}: start a control plane of this release`)
    }
    const missing = `(${view.select}) WHERE ${keeps} AND (${identity}) NOT IN (SELECT ${identity} FROM ${table} WHERE ${where(bounds)})`
    const probe = `INSERT INTO FUNCTION null('missing UInt8') SELECT throwIf(count() > 0) AS missing FROM ${missing} FORMAT RowBinary`
    if (await holds(sendRows(client, probe, rows, timeoutMs, settings))) continue
    await sleep(timeoutMs)
    const insert = `INSERT INTO ${table} (${view.columns}) SELECT ${view.columns} FROM ${missing} FORMAT RowBinary`
    await sendRows(client, insert, rows, timeoutMs, {
      ...settings,
      insert_deduplication_token: `${token}.${randomUUID()}`,
    })
  }
}

interface ViewSelect {
  readonly columns: string
  /** What the view selects, from the rows that come with the request. */
  readonly select: string
}

/** They change with a release of the control plane only: read again after so long. */
const SELECTS_MS = 60_000
const selectsRead = new WeakMap<ClickHouseClient, { readonly atMs: number; readonly selects: Promise<Map<string, ViewSelect>> }>()

function selectsOf(client: ClickHouseClient, timeoutMs: number): Promise<Map<string, ViewSelect>> {
  const known = selectsRead.get(client)
  if (known !== undefined && performance.now() - known.atMs < SELECTS_MS) return known.selects
  const selects = readSelects(client, timeoutMs)
  selectsRead.set(client, { atMs: performance.now(), selects })
  selects.catch(() => selectsRead.delete(client))
  return selects
}

async function readSelects(client: ClickHouseClient, timeoutMs: number): Promise<Map<string, ViewSelect>> {
  const ask = async <Row>(what: string): Promise<Row[]> => {
    const query = `${what} WHERE database = currentDatabase() AND startsWith(table, 'attempt_inserts')`
    const answer = await client.query({ query, format: 'JSONEachRow', abort_signal: AbortSignal.timeout(timeoutMs) })
    return answer.json<Row>()
  }
  const [tables, columns] = await Promise.all([
    ask<{ table: string; select: string }>('SELECT table, as_select AS select FROM system.tables'),
    ask<{ table: string; name: string; type: string }>(
      'SELECT table, name, type FROM (SELECT * FROM system.columns ORDER BY position)',
    ),
  ])
  const columnsOf = (table: string) => columns.filter((each) => each.table === table)
  const given = columnsOf('attempt_inserts').map(({ name, type }) => `${name} ${type}`)
  const input = `FROM input(${quote(given.join(', '))})`
  return new Map(
    tables.map(({ table, select }) => [
      table.replace('attempt_inserts_to_', ''),
      {
        columns: columnsOf(table)
          .map(({ name }) => name)
          .join(', '),
        select: select.replace(/FROM \S+attempt_inserts\b/, () => input),
      },
    ]),
  )
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

function inLanes({ lanes }: RowBounds): string {
  const each = lanes.map(({ uid, cluster, topic, partition, minOffset, maxOffset }) => {
    const lane = `uid = ${quote(uid)} AND cluster = ${quote(cluster)} AND topic = ${quote(topic)} AND partition = ${partition}`
    return `(${lane} AND offset BETWEEN ${minOffset} AND ${maxOffset})`
  })
  return each.join(' OR ')
}

const time = (ms: number): string => `fromUnixTimestamp64Milli(${ms})`

const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
