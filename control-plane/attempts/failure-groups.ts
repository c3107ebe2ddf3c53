import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import {
  type FailureFilter,
  FailureGroupSchema,
  type ListFailureGroupsResponse,
  ListFailureGroupsResponseSchema,
} from '../../proto/gen/ferry/v1/failure_groups_pb.ts'
import type { LogReader } from './log-reader.ts'
import { endMsSql, outcomeConditions, tableWords } from './outcome-conditions.ts'
import { rankSql } from './outcome-rule.ts'
import { type Subject, subjectParams, subjectSql } from './subject.ts'

interface GroupRow {
  readonly id: string
  readonly row_status: number
  readonly row_reason: Reason
  readonly pattern: string
  readonly deliveries: number
  readonly first_ms: number
  readonly last_ms: number
  readonly example: readonly [number, number, string]
  readonly all_groups: number
  readonly all_deliveries: number
}

const defaultPageSize = 50

const narrow =
  'Narrow it: give filter.from_time and filter.to_time, or filter.partition with filter.from_offset and filter.to_offset'

/** Groups deliveries whose outcome is FAILED by the cause that the log found in their last attempts (`outcomes.failure_group`). */
export async function listFailureGroups(
  log: LogReader,
  subject: Subject,
  filter: FailureFilter | undefined,
  pageSize: number,
): Promise<ListFailureGroupsResponse> {
  const rows = await log.select<GroupRow>(question(subject, filter, pageSize || defaultPageSize))
  return create(ListFailureGroupsResponseSchema, {
    failureGroups: rows.map((row) =>
      create(FailureGroupSchema, {
        ...{ id: row.id, status: row.row_status, reason: row.row_reason, errorPattern: row.pattern },
        deliveryCount: BigInt(row.deliveries),
        firstTime: timestampFromMs(row.first_ms),
        lastTime: timestampFromMs(row.last_ms),
        ...{ examplePartition: row.example[0], exampleOffset: BigInt(row.example[1]), exampleText: row.example[2] },
      }),
    ),
    groupCount: BigInt(rows[0]?.all_groups ?? 0),
    deliveryCount: BigInt(rows[0]?.all_deliveries ?? 0),
  })
}

/** Partition and offset as one number, which ClickHouse looks up fastest; offsets are below 2^48. */
const placeSql = 'bitOr(bitShiftLeft(toUInt64(partition), 48), offset)'

/** What failed at least once is looked for first, and only of that are all rows compared. */
function question(subject: Subject, filter: FailureFilter | undefined, rowsMax: number) {
  const { place, row, params } = outcomeConditions(filter)
  const within = `${subjectSql} AND ${place}`
  const last = { status: 'last.2', reason: 'last.3', ms: 'last.5', text: 'last.6' }
  const decided = `SELECT partition, offset,
      argMax((failure_group, status, CAST(reason, 'Int8'), error_pattern, ${endMsSql}, text, outcome), ${rankSql}) AS last
    FROM outcomes
    WHERE ${within} AND ${placeSql} IN (SELECT ${placeSql} FROM outcomes WHERE ${within} AND outcome = 'FAILED' AND ${row(tableWords)})
    GROUP BY partition, offset
    HAVING countIf(outcome = 'DELIVERED') = 0 AND last.7 = 'FAILED' AND ${row(last)}`
  const grouped = `SELECT last.1 AS id, any(last.2) AS row_status, any(last.3) AS row_reason, any(last.4) AS pattern, count() AS deliveries,
      min(last.5) AS first_ms, max(last.5) AS last_ms, argMax((partition, offset, last.6), last.5) AS example
    FROM (${decided}) GROUP BY id`
  return {
    sql: `SELECT *, count() OVER () AS all_groups, sum(deliveries) OVER () AS all_deliveries FROM (${grouped})
      ORDER BY deliveries DESC, id LIMIT {rowsMax: UInt32}`,
    params: { ...subjectParams(subject), ...params, rowsMax },
    narrow,
  }
}
