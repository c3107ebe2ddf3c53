import { RetryBatchState, type RetryItem, RetryItemState as State } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { laneKeys, readParked } from '../../runtime/lane-keys.ts'
import type { Redis } from '../../runtime/redis.ts'
import type { LogReader } from '../attempts/log-reader.ts'
import { QueryError } from '../attempts/query-error.ts'
import { laneOf, type Subject } from '../attempts/subject.ts'
import { askRedis } from '../store/ask-redis.ts'
import { type BatchRecord, batchIdOf } from './batch.ts'
import { selectionOf } from './hand-over.ts'
import { endedState, type ItemRow, itemColumns, itemOf } from './item.ts'
import { narrow } from './narrow.ts'
import { lastSelected, nextCandidates } from './pending.ts'
import { selectionSql } from './selection.ts'

export interface ItemPage {
  readonly items: readonly RetryItem[]
  /** Empty on the last page. */
  readonly nextPageToken: string
}

/** Where a page begins: in this partition, above this offset. */
interface Place {
  readonly partition: number
  readonly above: number
}

/** A batch's deliveries by partition and offset, `size` of them looked at. `states` leaves out those in others, where it is not empty. */
export async function listItems(
  sources: { readonly log: LogReader; readonly redis: Redis },
  record: BatchRecord,
  subject: Subject,
  { states, size, pageToken }: { readonly states: readonly State[]; readonly size: number; readonly pageToken: string },
): Promise<ItemPage> {
  let place = pageToken === '' ? { partition: record.partitions[0] ?? 0, above: -1 } : readToken(pageToken, batchIdOf(record))
  const items: RetryItem[] = []
  let seen = 0
  for (const partition of record.partitions.filter((each) => each >= place.partition)) {
    const above = partition === place.partition ? place.above : -1
    const page = await lanePage(sources.log, record, subject, { partition, above }, size - seen)
    const found = await withStates(sources.redis, record, subject, partition, page.rows)
    items.push(...found.filter(({ state }) => states.length === 0 || states.includes(state)))
    seen += page.looked
    if (page.last !== undefined) place = { partition, above: page.last }
    if (seen >= size) return { items, nextPageToken: writeToken(place, batchIdOf(record)) }
  }
  return { items, nextPageToken: '' }
}

/** looked: deliveries that may be of the batch, up to the offset `last`; undefined when there are none. */
async function lanePage(log: LogReader, record: BatchRecord, subject: Subject, { partition, above }: Place, size: number) {
  const selection = selectionOf(record, subject)
  const upTo = await lastSelected(log, selection, partition)
  const bounds = await nextCandidates(log, selection, { partition, above, upTo }, size)
  if (bounds === undefined) return { rows: [], looked: 0, last: undefined }
  const { sql, params } = selectionSql(selection, { partition, above, upTo: bounds.last })
  const rows = await log.select<ItemRow>({ sql: `SELECT ${itemColumns} FROM (${sql}) ORDER BY offset`, params, narrow })
  return { rows, looked: bounds.found, last: bounds.last }
}

// What has not ended by the log is SENT when its lane has it parked in a round above the selected one with an attempt behind it; else it
// WAITS, and of a cancelled batch it is CANCELLED. What is being sent for the first time waits, as far as its lane has said.

async function withStates(
  redis: Redis,
  record: BatchRecord,
  subject: Subject,
  partition: number,
  rows: readonly ItemRow[],
): Promise<RetryItem[]> {
  const open = rows.filter((row) => endedState(row) === undefined)
  const sent = open.length === 0 ? new Set<number>() : await findSent(redis, subject, partition, open)
  const unsent = record.batch.state === RetryBatchState.CANCELLED ? State.CANCELLED : State.WAITING
  return rows.map((row) => itemOf(row, endedState(row) ?? (sent.has(row.offset) ? State.SENT : unsent)))
}

/** Those of the offsets that are parked in a round above the selected one, and were sent in it. */
async function findSent(redis: Redis, subject: Subject, partition: number, rows: readonly ItemRow[]): Promise<Set<number>> {
  const { parked } = laneKeys(laneOf(subject, partition))
  const texts = await askRedis(() => redis.hmget(parked, ...rows.map(({ offset }) => String(offset))))
  const isSent = (text: string | null | undefined, { selected_round }: ItemRow): boolean => {
    if (text == null) return false
    const { round, attempts, state } = readParked(text)
    return (round > selected_round && attempts > 0) || state === 'S'
  }
  return new Set(rows.filter((row, at) => isSent(texts[at], row)).map(({ offset }) => offset))
}

const writeToken = ({ partition, above }: Place, batch: string): string => `${batch}.${partition}.${above}`

function readToken(token: string, batch: string): Place {
  const match = /^(.+)\.(\d{1,9})\.(\d{1,16})$/.exec(token)
  if (match?.[1] !== batch)
    throw new QueryError('INVALID_PAGE_TOKEN', 'page_token is not the next_page_token of a page of this retry batch')
  return { partition: Number(match[2]), above: Number(match[3]) }
}
