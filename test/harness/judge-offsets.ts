import type { Problems } from './problems.ts'
import type { Log, LoggedAttempt, LoggedRange, OutcomeName } from './read-log.ts'
import type { TopicRecord } from './read-topic.ts'
import { recordName, requestName } from './received.ts'

/** Ranges of these kinds say that there is no record to deliver. */
const holeKinds = new Set(['COMPACTED', 'TRANSACTION', 'RETENTION', 'TRUNCATED'])

export interface OffsetCounts {
  readonly outcomes: Readonly<Record<OutcomeName, number>>
  /** Offsets that are no record. */
  readonly holes: number
  /** Records before the use case's start. */
  readonly beforeStart: number
}

/** Every offset below the end has an outcome or a range, the right one, and nothing else has. Counts what became of each. */
export function judgeOffsets(
  records: readonly TopicRecord[],
  ends: ReadonlyMap<number, number>,
  log: Log,
  problems: Problems,
): OffsetCounts {
  const byName = new Map(records.map((each) => [recordName(each), each]))
  const ends_ = finalOutcomes(log.outcomes)
  const ranges = spreadRanges(log.ranges, ends, problems)
  const outcomes: Record<OutcomeName, number> = { DELIVERED: 0, FAILED: 0, SKIPPED: 0, SUPERSEDED: 0 }
  for (const [name, row] of ends_) {
    if (!byName.has(name)) problems.add('outcomes of offsets that are no record', requestName(row))
  }
  let beforeStart = 0
  for (const [name, record] of byName) {
    const range = ranges.get(name)
    const outcome = ends_.get(name)?.outcome
    if (outcome !== undefined) outcomes[outcome as OutcomeName]++
    else if (range === undefined) problems.add('records without outcome or range', name)
    else if (range.kind === 'BEFORE_START') beforeStart++
    else outcomes.SKIPPED++
    if (range !== undefined) judgeRange(name, record, range, outcome, problems)
  }
  const holes = judgeHoles(byName, ends, ranges, problems)
  return { outcomes, holes, beforeStart }
}

/** By record: DELIVERED if any row says so, else the row of the highest round, epoch and attempt. */
function finalOutcomes(rows: readonly LoggedAttempt[]): Map<string, LoggedAttempt> {
  const final = new Map<string, LoggedAttempt>()
  const rank = (row: LoggedAttempt): number[] => [Number(row.outcome === 'DELIVERED'), row.round, row.epoch, row.attempt]
  for (const row of rows) {
    const before = final.get(recordName(row))
    if (before === undefined || isHigher(rank(row), rank(before))) final.set(recordName(row), row)
  }
  return final
}

function isHigher(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((each, index) => each !== b[index])
  return at >= 0 && a[at]! > b[at]!
}

function spreadRanges(
  ranges: readonly LoggedRange[],
  ends: ReadonlyMap<number, number>,
  problems: Problems,
): Map<string, LoggedRange> {
  const byOffset = new Map<string, LoggedRange>()
  for (const range of ranges) {
    const end = ends.get(range.partition) ?? 0
    for (const [first, last] of range.runs) {
      if (last >= end) problems.add('ranges beyond the end of the partition', `${range.kind} ${range.partition}/${first}-${last}`)
      for (let offset = first; offset <= Math.min(last, end - 1); offset++) {
        byOffset.set(recordName({ partition: range.partition, offset }), range)
      }
    }
  }
  return byOffset
}

function judgeRange(
  name: string,
  record: TopicRecord,
  { kind }: LoggedRange,
  outcome: string | undefined,
  problems: Problems,
): void {
  if (holeKinds.has(kind)) problems.add('records that the log calls a hole', `${name} ${kind}`)
  if (kind === 'TOMBSTONE' && record.value !== undefined) problems.add('records with a value that the log calls tombstones', name)
  // An operator's range may end a later round of what had failed.
  if (outcome !== undefined && kind !== 'OPERATOR')
    problems.add('records with an outcome and a range', `${name} ${outcome} ${kind}`)
}

function judgeHoles(
  records: ReadonlyMap<string, TopicRecord>,
  ends: ReadonlyMap<number, number>,
  ranges: ReadonlyMap<string, LoggedRange>,
  problems: Problems,
): number {
  let holes = 0
  for (const [partition, end] of ends) {
    for (let offset = 0; offset < end; offset++) {
      const name = recordName({ partition, offset })
      if (records.has(name)) continue
      holes++
      if (!ranges.has(name)) problems.add('offsets that are no record and have no range', name)
    }
  }
  return holes
}
