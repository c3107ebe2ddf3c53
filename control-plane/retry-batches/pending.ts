import type { LogReader } from '../attempts/log-reader.ts'
import { subjectParams, subjectSql } from '../attempts/subject.ts'
import type { HandedItem } from './enqueue.ts'
import { narrow } from './plan.ts'
import { type LanePart, type Selection, selectionSql } from './selection.ts'

/**
 * The next selected deliveries of a lane that nothing has ended since, by offset. With `skipStale` those are marked whose key was
 * delivered at a higher offset: a newer version is there already.
 */
export async function pendingPage(
  log: LogReader,
  selection: Selection,
  part: LanePart,
  size: number,
  skipStale: boolean,
): Promise<HandedItem[]> {
  const { sql, params } = selectionSql(selection, part)
  const rows = await log.select<{ offset: number; selected_round: number; key_hash: number }>({
    sql: `SELECT offset, selected_round, key_hash FROM (${sql}) WHERE now = '' ORDER BY offset LIMIT {size: UInt32}`,
    params: { ...params, size },
    narrow,
  })
  const newest = skipStale ? await newestDelivered(log, selection, part.partition, rows) : new Map<number, number>()
  return rows.map(({ offset, selected_round, key_hash }) => ({
    offset,
    round: selected_round,
    stale: (newest.get(key_hash) ?? -1) > offset,
  }))
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
