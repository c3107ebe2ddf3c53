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
  readonly row_status: number
  readonly row_reason: Reason
  /** Of the pattern; 64 bits, as text. */
  readonly hash: string
  readonly deliveries: number
  readonly first_ms: number
  readonly last_ms: number
  readonly example: readonly [partition: number, offset: number]
  readonly all_groups: number
  readonly all_deliveries: number
}

/** What is said of a group by one of its rows. */
interface ExampleRow extends Pick<GroupRow, 'row_status' | 'row_reason' | 'hash' | 'example'> {
  readonly id: string
  readonly pattern: string
  readonly example_text: string
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
  const rows = await log.select<GroupRow>(groupsQuestion(subject, filter, pageSize || defaultPageSize))
  const examples = new Map((await readExamples(log, subject, rows)).map((row) => [keyOf(row), row]))
  return create(ListFailureGroupsResponseSchema, {
    failureGroups: rows.flatMap((row) => {
      const example = examples.get(keyOf(row))
      // Its rows have expired between the two questions.
      if (example === undefined) return []
      const [examplePartition, exampleOffset] = row.example
      return create(FailureGroupSchema, {
        ...{ id: example.id, status: row.row_status, reason: row.row_reason, errorPattern: example.pattern },
        deliveryCount: BigInt(row.deliveries),
        firstTime: timestampFromMs(row.first_ms),
        lastTime: timestampFromMs(row.last_ms),
        ...{ examplePartition, exampleOffset: BigInt(exampleOffset), exampleText: example.example_text },
      })
    }),
    groupCount: BigInt(rows[0]?.all_groups ?? 0),
    deliveryCount: BigInt(rows[0]?.all_deliveries ?? 0),
  })
}

const keyOf = ({ row_status, row_reason, hash, example }: Omit<ExampleRow, 'id' | 'pattern' | 'example_text'>): string =>
  [row_status, row_reason, hash, ...example].join(' ')

/** Texts are read of the examples alone: of all that failed they are most of the bytes. */
async function readExamples(log: LogReader, subject: Subject, rows: readonly GroupRow[]): Promise<ExampleRow[]> {
  if (rows.length === 0) return []
  return log.select<ExampleRow>({
    sql: `SELECT DISTINCT status AS row_status, CAST(reason, 'Int8') AS row_reason, toString(error_hash) AS hash, (partition, offset) AS example,
        failure_group AS id, error_pattern AS pattern, text AS example_text
      FROM outcomes
      WHERE ${subjectSql} AND outcome = 'FAILED' AND partition IN {partitions: Array(UInt32)} AND offset IN {offsets: Array(UInt64)}`,
    params: {
      ...subjectParams(subject),
      partitions: rows.map(({ example }) => example[0]),
      offsets: rows.map(({ example }) => example[1]),
    },
    narrow,
  })
}

/** Partition and offset as one number, which ClickHouse looks up fastest; offsets are below 2^48. */
const placeSql = 'bitOr(bitShiftLeft(toUInt64(partition), 48), offset)'

/** What failed at least once is looked for first, and only of that are all rows compared. */
function groupsQuestion(subject: Subject, filter: FailureFilter | undefined, rowsMax: number) {
  const { place, row, params } = outcomeConditions(filter)
  const within = `${subjectSql} AND ${place}`
  const last = { status: 'last.1', reason: 'last.2', ms: 'last.4', text: 'last.6' }
  const decided = `SELECT partition, offset,
      argMax((status, CAST(reason, 'Int8'), error_hash, ${endMsSql}, outcome${filter?.text ? ', text' : ''}), ${rankSql}) AS last
    FROM outcomes
    WHERE ${within} AND ${placeSql} IN (SELECT ${placeSql} FROM outcomes WHERE ${within} AND outcome = 'FAILED' AND ${row(tableWords)})
    GROUP BY partition, offset
    HAVING countIf(outcome = 'DELIVERED') = 0 AND last.5 = 'FAILED' AND ${row(last)}`
  const grouped = `SELECT last.1 AS row_status, last.2 AS row_reason, toString(last.3) AS hash, count() AS deliveries,
      min(last.4) AS first_ms, max(last.4) AS last_ms, argMax((partition, offset), last.4) AS example
    FROM (${decided}) GROUP BY row_status, row_reason, hash`
  return {
    sql: `SELECT *, count() OVER () AS all_groups, sum(deliveries) OVER () AS all_deliveries FROM (${grouped})
      ORDER BY deliveries DESC, row_status, row_reason, hash LIMIT {rowsMax: UInt32}`,
    params: { ...subjectParams(subject), ...params, rowsMax },
    narrow,
  }
}
