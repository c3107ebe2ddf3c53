import { type Lane, LaneConditionSchema, LaneSchema, LaneState, LaneStateSchema } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { allPages } from '../all-pages.ts'
import { shortName } from '../names.ts'
import { enumWord } from '../output/enum-words.ts'
import { oneLine } from '../output/plain-text.ts'
import type { Column } from '../output/table.ts'
import { ageWords, countWords } from '../output/words.ts'
import type { Session } from '../session.ts'

const defaultMax = 10_000

export interface LanesOptions {
  /** Only those that do not move. */
  readonly stuck?: boolean
  readonly limit?: number
}

/** Who holds which lane, how far it is, and why it does not move. */
export async function lanes(
  session: Session,
  text: string | undefined,
  { stuck = false, limit = defaultMax }: LanesOptions,
): Promise<void> {
  const { items, hasMore } = await readLanes(session, text === undefined ? '' : session.nameOf(text), limit)
  const shown = stuck ? items.filter((lane) => lane.condition !== 0 || lane.state !== LaneState.RUNNING) : items
  await session.list(LaneSchema, shown, {
    columns: laneColumns(session),
    none: stuck ? 'every lane moves' : 'there are no lanes',
  })
  if (hasMore) session.terminal.err(`there are more lanes: --limit N shows them, or name a use case\n`)
}

/** At most `max` lanes of a use case, or of all. */
export function readLanes({ ferry }: Session, useCase: string, max: number): Promise<{ items: Lane[]; hasMore: boolean }> {
  return allPages(max, async (pageSize, pageToken) => {
    const { lanes: items, nextPageToken } = await ferry.fleet.listLanes({ useCase, pageSize, pageToken })
    return { items, next: nextPageToken }
  })
}

export function laneColumns({ paint, nowMs }: Session, withUseCase = true): Column<Lane>[] {
  const now = nowMs()
  return [
    ...(withUseCase ? [{ title: 'USE CASE', of: (lane: Lane) => shortName(lane.useCase) }] : []),
    { title: 'PARTITION', of: ({ id }) => String(id?.partition ?? ''), right: true },
    {
      title: 'STATE',
      of: ({ state }) => enumWord(LaneStateSchema, state),
      paint: (cell, { state }) => (state === LaneState.RUNNING ? paint.good(cell) : paint.warn(cell)),
    },
    { title: 'LAG', of: ({ cursor, endOffset }) => countWords(endOffset > cursor ? endOffset - cursor : 0n), right: true },
    { title: 'PARKED', of: ({ parked }) => countWords(parked), right: true },
    { title: 'FLOOR', of: ({ floor }) => String(floor), right: true },
    { title: 'END', of: ({ endOffset }) => String(endOffset), right: true },
    { title: 'WORKER', of: ({ worker }) => worker, shrinkTo: 8 },
    { title: 'REPORTED', of: ({ reportTime }) => ageWords(reportTime, now) },
    { title: 'CONDITION', of: ({ condition }) => enumWord(LaneConditionSchema, condition), paint: (cell) => paint.bad(cell) },
    { title: 'MESSAGE', of: ({ message }) => oneLine(message), shrinkTo: 12 },
  ]
}
