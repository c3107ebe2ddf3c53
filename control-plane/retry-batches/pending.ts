import type { LogReader } from '../attempts/log-reader.ts'
import { subjectParams, subjectSql } from '../attempts/subject.ts'
import type { HandedItem } from './enqueue.ts'
import { narrow } from './narrow.ts'
import { candidatesSql, type LanePart, type Selection, selectionSql } from './selection.ts'

export interface PendingPage {
  /** Rising by offset. */
  readonly items: readonly HandedItem[]
  /** Where the next page begins: above this offset. Undefined after the last one. */
  readonly next: number | undefined
}

/** Above every offset that a log may hold. */
const noLimit = Number.MAX_SAFE_INTEGER

/**
 * The next selected deliveries of a lane that nothing has ended since: those among the next `size` that have failed at least once or
 * are missing, so a page may be empty and not the last. With `skipStale` those are marked whose key was delivered at a higher offset.
 */
export async function pendingPage(
  log: LogReader,
  selection: Selection,
  { partition, above, upTo = noLimit }: Pick<LanePart, 'partition' | 'above'> & Partial<LanePart>,
  size: number,
  skipStale: boolean,
): Promise<PendingPage> {
  const bounds = await nextCandidates(log, selection, { partition, above, upTo }, size)
  if (bounds === undefined) return { items: [], next: undefined }
  const { sql, params } = selectionSql(selection, { partition, above, upTo: bounds.last })
  const rows = await log.select<{ offset: number; selected_round: number; key_hash: number }>({
    sql: `SELECT offset, selected_round, key_hash FROM (${sql}) WHERE now = '' ORDER BY offset`,
    params,
    narrow,
  })
  const newest = skipStale ? await newestDelivered(log, selection, partition, rows) : new Map<number, number>()
  const items = rows.map(({ offset, selected_round, key_hash }) => ({
    ...{ offset, round: selected_round, stale: (newest.get(key_hash) ?? -1) > offset },
  }))
  return { items, next: bounds.found < size ? undefined : bounds.last }
}

/** How many deliveries of a lane may be selected next, at most `size`, and the last of their offsets; undefined when there are none. */
export async function nextCandidates(log: LogReader, selection: Selection, part: LanePart, size: number) {
  const candidates = candidatesSql(selection, part)
  const [bounds] = await log.select<{ last: number; found: number }>({
    sql: `SELECT max(offset) AS last, count() AS found
      FROM (SELECT DISTINCT offset FROM (${candidates.sql}) ORDER BY offset LIMIT {size: UInt32})`,
    params: { ...candidates.params, size },
    narrow,
  })
  return bounds?.found ? bounds : undefined
}

/** With budgets, the highest offset of a lane that is selected; -1 when nothing is. */
export async function lastSelected(log: LogReader, selection: Selection, partition: number): Promise<number> {
  if (!selection.budgets) return noLimit
  const { sql, params } = selectionSql(selection)
  const [row] = await log.select<{ last: number; selected: number }>({
    sql: `SELECT max(offset) AS last, count() AS selected FROM (${sql}) WHERE partition = {lane: UInt32}`,
    params: { ...params, lane: partition },
    narrow,
  })
  return row && row.selected > 0 ? row.last : -1
}

/** By key hash, the highest offset that was delivered. A record without a key has the hash 0 and no newer version. */
async function newestDelivered(
  log: LogReader,
  { subject }: Selection,
  partition: number,
  items: readonly { readonly offset: number; readonly key_hash: number }[],
): Promise<Map<number, number>> {
  const hashes = [...new Set(items.map((item) => item.key_hash).filter((hash) => hash !== 0))]
  if (hashes.length === 0) return new Map()
  const rows = await log.select<{ key_hash: number; newest: number }>({
    sql: `SELECT key_hash, max(offset) AS newest FROM outcomes
      WHERE ${subjectSql} AND partition = {partition: UInt32} AND offset > {lowest: UInt64}
        AND outcome = 'DELIVERED' AND key_hash IN {hashes: Array(UInt64)}
      GROUP BY key_hash`,
    params: { ...subjectParams(subject), partition, lowest: items[0]!.offset, hashes },
    narrow,
  })
  return new Map(rows.map(({ key_hash, newest }) => [key_hash, newest]))
}
