import type { LogReader } from '../attempts/log-reader.ts'
import { topicSql } from '../attempts/subject.ts'
import { askOffsets, type TopicOffsets } from '../attempts/topic-offsets.ts'
import { type Selection, selectionSql } from './selection.ts'
import { spread } from './spread.ts'

/** What a batch would send again. */
export interface Plan {
  readonly selected: number
  /** When the oldest of them failed, Unix ms; undefined when there is none. */
  readonly oldestMs: number | undefined
  /** Of them, those that Kafka still has; of the others those whose bytes the log has; and the rest. */
  readonly inKafka: number
  readonly inPayloads: number
  readonly expired: number
}

export const narrow = 'Narrow the filter: give a partition with offsets, or from_time and to_time'

/** Selected deliveries by partition, at most `maxItems` of them, the first ones of each lane. */
export async function countSelected(
  log: LogReader,
  selection: Selection,
  maxItems: number | undefined,
): Promise<Map<number, number>> {
  const { sql, params } = selectionSql(selection)
  const rows = await log.select<{ partition: number; selected: number }>({
    sql: `SELECT partition, count() AS selected FROM (${sql}) GROUP BY partition`,
    params,
    narrow,
  })
  const counts = new Map(rows.map(({ partition, selected }) => [partition, selected]))
  return maxItems === undefined ? counts : spread(counts, maxItems)
}

/** Looks where the bytes of what would be selected are. Changes nothing. */
export async function planBatch(
  log: LogReader,
  offsets: TopicOffsets,
  selection: Selection,
  maxItems: number | undefined,
): Promise<Plan> {
  const { subject } = selection
  const counts = await countSelected(log, selection, maxItems)
  if (counts.size === 0) return { selected: 0, oldestMs: undefined, inKafka: 0, inPayloads: 0, expired: 0 }
  const starts = await askOffsets(offsets.startOffsets(subject.cluster, subject.topic))
  const budgets = maxItems === undefined ? undefined : Object.fromEntries(counts)
  const { sql, params } = selectionSql({ ...selection, budgets })
  const [found] = await log.select<{ selected: number; oldest_ms: number; in_kafka: number; in_payloads: number }>({
    sql: `SELECT count() AS selected, min(selected_ms) AS oldest_ms, countIf(kafka) AS in_kafka, countIf(NOT kafka AND payload) AS in_payloads
      FROM (
        SELECT selected_ms, offset >= transform(partition, {lanes: Array(UInt32)}, {starts: Array(UInt64)}, {never: UInt64}) AS kafka,
          (partition, offset) IN (SELECT partition, offset FROM payloads WHERE ${topicSql} AND expire_time > now()) AS payload
        FROM (${sql})
      )`,
    // A partition that Kafka no longer names has nothing.
    params: { ...params, lanes: [...starts.keys()], starts: [...starts.values()], never: Number.MAX_SAFE_INTEGER },
    narrow,
  })
  const { selected, oldest_ms, in_kafka, in_payloads } = found!
  const expired = selected - in_kafka - in_payloads
  return { selected, oldestMs: selected > 0 ? oldest_ms : undefined, inKafka: in_kafka, inPayloads: in_payloads, expired }
}
