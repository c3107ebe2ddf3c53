import type { LaneId, Run } from '../../runtime/lane-keys.ts'
import type { LaneLog } from './lane-log.ts'
import type { LaneStore } from './lane-store.ts'
import type { TopicSource } from './topic-source.ts'
import type { ViewedUseCase } from './use-case-view.ts'

export interface DeleteParts {
  readonly source: TopicSource
  readonly store: LaneStore
  readonly laneLog: LaneLog
  readonly wallMs: () => number
  /** Throws when this replica no longer leads. */
  readonly mustLead: () => void
}

const recordsPerInsert = 200
const runsPerRow = 10_000

/**
 * Ends what still waits in lanes that nobody holds, and removes their state. Every step may be done again: inserts have tokens that
 * follow from the lane and the offsets, and nothing is removed before all of it is in the log.
 */
export async function deleteLanes(useCase: ViewedUseCase, lanes: readonly LaneId[], parts: DeleteParts): Promise<void> {
  for (const lane of lanes) await endParked(useCase, lane, parts)
  parts.mustLead()
  await parts.source.deleteGroup(useCase.cluster, useCase.group)
  for (const lane of lanes) {
    parts.mustLead()
    await parts.store.remove(lane)
  }
}

async function endParked(useCase: ViewedUseCase, lane: LaneId, parts: DeleteParts): Promise<void> {
  const { store, laneLog, mustLead, wallMs } = parts
  const offsets = await store.parkedOffsets(lane)
  // Bytes first: an end says that they are kept.
  for (let at = 0; at < offsets.length; at += recordsPerInsert) {
    const page = offsets.slice(at, at + recordsPerInsert)
    const packed = await store.packedRecords(lane, page)
    const records = page.flatMap((offset, index) => (packed[index] === undefined ? [] : [{ offset, packed: packed[index] }]))
    mustLead()
    if (records.length > 0) await laneLog.writePayloads(lane, records, wallMs(), wallMs() + useCase.failureRetentionMs)
  }
  const runs = toRuns(offsets)
  for (let at = 0; at < runs.length; at += runsPerRow) {
    mustLead()
    await laneLog.writeDeleted(lane, runs.slice(at, at + runsPerRow), at / runsPerRow, wallMs())
  }
}

/** Ascending offsets as runs. */
export function toRuns(offsets: readonly number[]): Run[] {
  const runs: { first: number; last: number }[] = []
  for (const offset of offsets) {
    const last = runs.at(-1)
    if (last !== undefined && last.last + 1 === offset) last.last = offset
    else runs.push({ first: offset, last: offset })
  }
  return runs
}
