import type { Redis } from '../../runtime/redis.ts'
import { readLanePosition } from '../attempts/lane-position.ts'
import type { LogReader } from '../attempts/log-reader.ts'
import { QueryError } from '../attempts/query-error.ts'
import { clip, subtract, toRuns } from '../attempts/runs.ts'
import { laneOf, type Subject, subjectParams, subjectSql } from '../attempts/subject.ts'
import { givenLimits, offsetsSql, type PartitionRun } from './given-offsets.ts'

const narrow = 'Name fewer offsets'

// A record is missing when nothing is known of it, and something must be: it is
//
//   below its lane's floor         | where every record has an outcome or a range
//   without a row in `outcomes`    | it has not ended
//   in no run of `ranges`          | it was not left out, and is no hole

/** Those of the offsets that are missing. Of a lane that Redis does not know nothing is. */
export async function findMissing(
  log: LogReader,
  redis: Redis,
  subject: Subject,
  given: readonly PartitionRun[],
): Promise<PartitionRun[]> {
  // The floor first: what it passes later has an outcome by then.
  const partitions = [...new Set(given.map(({ partition }) => partition))]
  const floors = new Map<number, number>()
  for (const partition of partitions)
    floors.set(partition, (await readLanePosition(redis, laneOf(subject, partition)))?.floor ?? 0)
  const below = given.flatMap(({ partition, ...run }) =>
    clip([run], 0, floors.get(partition)!).map((each) => ({ partition, ...each })),
  )
  if (below.length === 0) return []
  const silent = await withoutOutcome(log, subject, below)
  const missing = await withoutRange(log, subject, silent)
  if (missing.length > givenLimits.runs) {
    const what = `${missing.length} runs of the offsets that retry_batch.filter.offsets names are missing, and a batch takes ${givenLimits.runs}`
    throw new QueryError('LIMIT_EXCEEDED', `${what}. Name fewer offsets, and make several batches`)
  }
  return missing
}

async function withoutOutcome(log: LogReader, subject: Subject, given: readonly PartitionRun[]): Promise<PartitionRun[]> {
  const { sql, params } = offsetsSql('given', given)
  return log.select<PartitionRun>({
    sql: `SELECT partition, min(offset) AS first, max(offset) AS last FROM (
        SELECT partition, offset, offset - row_number() OVER (PARTITION BY partition ORDER BY offset) AS island FROM (${sql})
        WHERE (partition, offset) NOT IN (
          SELECT partition, offset FROM outcomes WHERE ${subjectSql} AND (partition, offset) IN (${sql})
        )
      ) GROUP BY partition, island ORDER BY partition, first`,
    params: { ...subjectParams(subject), ...params },
    narrow,
  })
}

async function withoutRange(log: LogReader, subject: Subject, silent: readonly PartitionRun[]): Promise<PartitionRun[]> {
  if (silent.length === 0) return []
  const partitions = [...new Set(silent.map(({ partition }) => partition))]
  const ranges = await log.select<PartitionRun>({
    sql: `SELECT DISTINCT partition, run.1 AS first, run.2 AS last FROM ranges ARRAY JOIN runs AS run
      WHERE ${subjectSql} AND partition IN {partitions: Array(UInt32)} AND run.2 >= {lowest: UInt64} AND run.1 <= {highest: UInt64}`,
    params: {
      ...{ ...subjectParams(subject), partitions },
      lowest: Math.min(...silent.map(({ first }) => first)),
      highest: Math.max(...silent.map(({ last }) => last)),
    },
    narrow,
  })
  const of = (runs: readonly PartitionRun[], wanted: number) => toRuns(runs.filter(({ partition }) => partition === wanted))
  return partitions.flatMap((partition) =>
    subtract(of(silent, partition), of(ranges, partition)).map((run) => ({ partition, ...run })),
  )
}
