import type { RetryFilter } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import type { Run } from '../../runtime/lane-keys.ts'
import type { Violation } from '../attempts/query-error.ts'
import { clip, countOffsets, toRuns } from '../attempts/runs.ts'

/** Offsets one after the other, of one partition. */
export interface PartitionRun extends Run {
  readonly partition: number
}

/** All of a filter's offsets are expanded for each question to the log, and go to it as parameters: ClickHouse takes 128 KiB of each. */
export const givenLimits = { runs: 5000, offsets: 1_000_000 }

/** The offsets that a filter names, as rising runs, as far as its other places allow; undefined when it names none. */
export function givenRuns(filter: RetryFilter | undefined): PartitionRun[] | undefined {
  if (!filter || filter.offsets.length === 0) return undefined
  const byPartition = new Map<number, Run[]>()
  for (const { partition, offsets, runs } of filter.offsets) {
    const list = byPartition.get(partition) ?? []
    for (const offset of offsets) list.push({ first: Number(offset), last: Number(offset) })
    for (const { firstOffset, lastOffset } of runs) list.push({ first: Number(firstOffset), last: Number(lastOffset) })
    byPartition.set(partition, list)
  }
  const { partition: only, fromOffset = 0n, toOffset = BigInt(Number.MAX_SAFE_INTEGER) } = filter
  return [...byPartition]
    .filter(([partition]) => only === undefined || partition === only)
    .sort(([a], [b]) => a - b)
    .flatMap(([partition, runs]) =>
      clip(toRuns(runs), Number(fromOffset), Number(toOffset)).map((run) => ({ partition, ...run })),
    )
}

/** What the contract's own rules cannot say of them. `path` is where the filter stands in the request. */
export function checkGivenOffsets(filter: RetryFilter, path: string): Violation[] {
  const violations: Violation[] = []
  for (const [at, { offsets, runs }] of filter.offsets.entries()) {
    const field = `${path}.offsets[${at}]`
    if (offsets.length === 0 && runs.length === 0)
      violations.push({ field, description: `${field} must have offsets or runs; it has neither`, reason: 'OFFSETS_MISSING' })
    for (const [index, { firstOffset, lastOffset }] of runs.entries())
      if (firstOffset < 0n || lastOffset < firstOffset) {
        const run = `${field}.runs[${index}]`
        const rule = 'must begin at 0 or above, and not end before it begins'
        violations.push({
          field: run,
          description: `${run} ${rule}; it goes from ${firstOffset} to ${lastOffset}`,
          reason: 'OFFSET_ORDER',
        })
      }
  }
  if (violations.length > 0) return violations
  const runs = givenRuns(filter) ?? []
  const offsets = countOffsets(runs)
  if (runs.length <= givenLimits.runs && offsets <= givenLimits.offsets) return []
  const field = `${path}.offsets`
  const most = `${givenLimits.runs} runs, single offsets included, with ${givenLimits.offsets} offsets`
  const description = `${field} may have at most ${most}; it has ${runs.length} runs with ${offsets}. Make several batches`
  return [{ field, description, reason: 'OFFSETS_TOO_MANY' }]
}

/** A row (partition, offset) for each offset of the runs; `name` begins the parameters' names. With a lane only its offsets above and up to. */
export function offsetsSql(
  name: string,
  runs: readonly PartitionRun[],
  lane?: { readonly partition: number; readonly above: number; readonly upTo: number },
): { readonly sql: string; readonly params: Record<string, unknown> } {
  const own = lane
    ? runs
        .filter(({ partition }) => partition === lane.partition)
        .map((run) => ({ ...run, first: Math.max(run.first, lane.above + 1), last: Math.min(run.last, lane.upTo) }))
        .filter(({ first, last }) => first <= last)
    : runs
  const zip = `arrayZip({${name}Lanes: Array(UInt32)}, {${name}Firsts: Array(UInt64)}, {${name}Lasts: Array(UInt64)})`
  return {
    sql: `SELECT run.1 AS partition, arrayJoin(range(run.2, run.3 + 1)) AS offset FROM (SELECT arrayJoin(${zip}) AS run)`,
    params: {
      [`${name}Lanes`]: own.map(({ partition }) => partition),
      [`${name}Firsts`]: own.map(({ first }) => first),
      [`${name}Lasts`]: own.map(({ last }) => last),
    },
  }
}
