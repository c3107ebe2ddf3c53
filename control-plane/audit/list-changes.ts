import { create, toJson } from '@bufbuild/protobuf'
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import { type Change, ChangeSchema, type ListChangesRequest } from '../../proto/gen/ferry/v1/change_pb.ts'
import { TokenSchema } from '../../proto/gen/ferry/v1/token_service_pb.ts'
import { UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { readToken } from '../access/stored-token.ts'
import type { LogReader } from '../attempts/log-reader.ts'
import { positionIn, writePageToken } from '../attempts/page-token.ts'
import { refuse } from '../attempts/query-error.ts'
import { isDefinitionAction, readUseCase } from '../store/change.ts'
import { answered } from '../use-cases/use-case-secrets.ts'

export interface ChangePage {
  /** Newest first. */
  readonly changes: readonly Change[]
  /** Empty on the last page. */
  readonly nextPageToken: string
}

interface Row {
  readonly change_id: number
  readonly ms: number
  readonly actor: string
  readonly action: string
  readonly resource: string
  readonly revision: number
  readonly reason: string
  readonly before: string
  readonly after: string
}

const defaultPageSize = 50
const clockSkewMsMax = 86_400_000
const narrow = 'Narrow it: give use_case, from_time and to_time'

/** One page of the audit, as far as the given namespaces go; undefined is all. Throws QueryError. */
export async function listChanges(
  log: LogReader,
  asked: ListChangesRequest,
  namespaces: ReadonlySet<string> | undefined,
  pageBytesMax: number,
): Promise<ChangePage> {
  refuse(checkTimes(asked))
  const { sql, params } = conditionsOf(asked, namespaces)
  const list = JSON.stringify([sql, params])
  const after = positionIn(asked.pageToken, list, [0])
  const rowsMax = asked.pageSize || defaultPageSize
  const below = after === undefined ? '' : 'AND change_id < {below: UInt64}'
  const question = {
    // One more than the page takes says that there is another page.
    sql: `SELECT change_id, toUnixTimestamp64Milli(change_time) AS ms, actor, action, resource, revision, reason, before, after
      FROM use_case_changes FINAL WHERE ${sql} ${below} ORDER BY change_id DESC LIMIT {rows: UInt32}`,
    params: { ...params, rows: rowsMax + 1, ...(after && { below: after[0] }) },
    narrow,
  }
  const page: Row[] = []
  let bytes = 0
  for await (const { row, textLength } of log.stream<Row>(question)) {
    bytes += textLength
    if (page.length === rowsMax || (page.length > 0 && bytes > pageBytesMax))
      return { changes: page.map(changeOf), nextPageToken: writePageToken([page.at(-1)!.change_id], list) }
    page.push(row)
  }
  return { changes: page.map(changeOf), nextPageToken: '' }
}

function conditionsOf(asked: ListChangesRequest, namespaces: ReadonlySet<string> | undefined) {
  const { useCase, actor, fromTime, toTime, actions } = asked
  const [, namespace = '', , id = ''] = useCase.split('/')
  const conditions: [string, Record<string, unknown>][] = []
  const add = (sql: string, params: Record<string, unknown>) => void conditions.push([sql, params])
  if (useCase !== '') add('namespace = {namespace: String} AND use_case = {id: String}', { namespace, id })
  if (namespaces) add('namespace IN {namespaces: Array(String)}', { namespaces: [...namespaces].sort() })
  if (actor !== '') add("(actor = {actor: String} OR startsWith(actor, concat({actor: String}, ' for ')))", { actor })
  if (actions.length > 0) add('action IN {actions: Array(String)}', { actions: [...actions] })
  if (toTime) add("change_time < fromUnixTimestamp64Milli({toMs: Int64}, 'UTC')", { toMs: timestampMs(toTime) })
  if (fromTime) {
    const fromMs = timestampMs(fromTime)
    // An id is never below Redis' clock in milliseconds, and the table is sorted by it.
    const fromId = Math.max(0, fromMs - clockSkewMsMax)
    add("change_time >= fromUnixTimestamp64Milli({fromMs: Int64}, 'UTC') AND change_id >= {fromId: UInt64}", { fromMs, fromId })
  }
  return {
    sql: conditions.map(([sql]) => sql).join(' AND ') || 'true',
    params: Object.assign({}, ...conditions.map(([, params]) => params)) as Record<string, unknown>,
  }
}

function checkTimes({ fromTime, toTime }: ListChangesRequest) {
  if (!fromTime || !toTime || timestampMs(fromTime) < timestampMs(toTime)) return []
  const [from, to] = [fromTime, toTime].map((each) => new Date(timestampMs(each)).toISOString())
  const description = `to_time must be after from_time ${from}; given ${to}`
  return [{ field: 'to_time', description, reason: 'TIME_ORDER' } as const]
}

const changeOf = ({ change_id, ms, revision, before, after, ...row }: Row): Change =>
  create(ChangeSchema, {
    ...row,
    ...{ id: BigInt(change_id), changeTime: timestampFromMs(ms), revision: BigInt(revision) },
    ...{ before: shown(row, before), after: shown(row, after) },
  })

/** Without what is sealed, and without hashes of tokens. */
function shown({ action, resource }: Pick<Row, 'action' | 'resource'>, text: string): string {
  if (text === '') return ''
  if (isDefinitionAction(action)) return JSON.stringify(toJson(UseCaseSchema, answered(readUseCase(text))))
  if (resource.startsWith('tokens/')) return JSON.stringify(toJson(TokenSchema, readToken(text).token))
  return text
}
