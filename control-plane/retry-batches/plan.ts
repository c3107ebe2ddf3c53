import type { LogReader } from '../attempts/log-reader.ts'
import { countOffsets } from '../attempts/runs.ts'
import { topicSql } from '../attempts/subject.ts'
import { askOffsets, type TopicOffsets } from '../attempts/topic-offsets.ts'
import { givenRuns } from './given-offsets.ts'
import { type ItemRow, itemColumns } from './item.ts'
import { narrow } from './narrow.ts'
import { type Selection, selectionSql } from './selection.ts'
import { spread } from './spread.ts'

/** What a batch would send again. */
export interface Plan {
  readonly selected: number
  /** Of them, those that nothing is known of. */
  readonly missing: number
  /** Of the offsets that the filter names, those that are not selected. */
  readonly notSelected: number
  /** When the oldest of them failed, Unix ms; undefined when there is none. */
  readonly oldestMs: number | undefined
  /** Of them, those that Kafka still has; of the others those whose bytes the log has; and the rest. */
  readonly inKafka: number
  readonly inPayloads: number
  readonly expired: number
  readonly samples: readonly ItemRow[]
}

const samplesMax = 10

/** Selected deliveries by partition. */
export async function countSelected(log: LogReader, selection: Selection): Promise<Map<number, number>> {
  const { sql, params } = selectionSql(selection)
  const rows = await log.select<{ partition: number; selected: number }>({
    sql: `SELECT partition, count() AS selected FROM (${sql}) GROUP BY partition`,
    params,
    narrow,
  })
  return new Map(rows.map(({ partition, selected }) => [partition, selected]))
}

/** At most `maxItems` of them, the first ones of each lane. */
export const limited = (counts: ReadonlyMap<number, number>, maxItems: number | undefined): ReadonlyMap<number, number> =>
  maxItems === undefined ? counts : spread(counts, maxItems)

const sum = (counts: ReadonlyMap<number, number>): number => [...counts.values()].reduce((total, count) => total + count, 0)

/** Looks where the bytes of what would be selected are. Changes nothing. */
export async function planBatch(
  log: LogReader,
  offsets: TopicOffsets,
  selection: Selection,
  maxItems: number | undefined,
): Promise<Plan> {
  const { subject, filter } = selection
  const all = await countSelected(log, selection)
  const named = givenRuns(filter)
  const notSelected = named ? countOffsets(named) - sum(all) : 0
  if (all.size === 0)
    return { selected: 0, missing: 0, notSelected, oldestMs: undefined, inKafka: 0, inPayloads: 0, expired: 0, samples: [] }
  const starts = await askOffsets(offsets.startOffsets(subject.cluster, subject.topic))
  const budgets = maxItems === undefined ? undefined : Object.fromEntries(limited(all, maxItems))
  const { sql, params } = selectionSql({ ...selection, budgets })
  const [found] = await log.select<Found>({
    sql: `SELECT count() AS selected, countIf(selected_ms = 0) AS missing, minIf(selected_ms, selected_ms > 0) AS oldest_ms,
        countIf(kafka) AS in_kafka, countIf(NOT kafka AND payload) AS in_payloads
      FROM (
        SELECT selected_ms, offset >= transform(partition, {lanes: Array(UInt32)}, {starts: Array(UInt64)}, {never: UInt64}) AS kafka,
          (partition, offset) IN (SELECT partition, offset FROM payloads WHERE ${topicSql} AND expire_time > now()) AS payload
        FROM (${sql})
      )`,
    // A partition that Kafka no longer names has nothing.
    params: { ...params, lanes: [...starts.keys()], starts: [...starts.values()], never: Number.MAX_SAFE_INTEGER },
    narrow,
  })
  const { selected, missing, oldest_ms, in_kafka, in_payloads } = found!
  const samples = await log.select<ItemRow>({
    sql: `SELECT ${itemColumns} FROM (${sql}) ORDER BY partition, offset LIMIT {samplesEach: UInt32} BY partition LIMIT {samples: UInt32}`,
    params: { ...params, samples: samplesMax, samplesEach: Math.ceil(samplesMax / all.size) },
    narrow,
  })
  const expired = selected - in_kafka - in_payloads
  const oldestMs = oldest_ms > 0 ? oldest_ms : undefined
  return { selected, missing, notSelected, oldestMs, inKafka: in_kafka, inPayloads: in_payloads, expired, samples }
}

interface Found {
  readonly selected: number
  readonly missing: number
  readonly oldest_ms: number
  readonly in_kafka: number
  readonly in_payloads: number
}
