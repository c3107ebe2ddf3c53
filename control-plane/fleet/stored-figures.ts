import type { LaneStore } from './lane-store.ts'
import type { LaneFigures, LaneView } from './lane-view.ts'
import type { TopicSource } from './topic-source.ts'
import type { ViewedUseCase } from './use-case-view.ts'
import { within } from './within.ts'

export type FiguresSource = Pick<TopicSource, 'endOffsets' | 'groupOffsets'>

export interface StoredFiguresParts {
  readonly store: LaneStore
  readonly source: FiguresSource
  readonly timeoutMs: number
  readonly wallMs: () => number
}

/**
 * Fills in the figures of lanes that nobody has reported, from Redis and Kafka as of now. What does not answer in time is left at
 * -1 for Kafka's end, and the lane says so where Redis or the group is missing.
 */
export async function fillFigures(
  useCase: ViewedUseCase,
  lanes: readonly LaneView[],
  parts: StoredFiguresParts,
): Promise<LaneView[]> {
  const missing = lanes.filter((lane) => lane.figures === undefined)
  if (missing.length === 0) return [...lanes]
  const { timeoutMs } = parts
  const [stored, ends] = await Promise.all([
    within(readStored(useCase, missing, parts), timeoutMs, 'reading lane state').catch(() => undefined),
    within(parts.source.endOffsets(useCase.cluster, useCase.topic), timeoutMs, 'reading end offsets').catch(() => undefined),
  ])
  const timeMs = parts.wallMs()
  return lanes.map((lane) => {
    if (lane.figures !== undefined) return lane
    const position = stored?.get(lane.id.partition) ?? { cursor: 0, floor: 0, parked: 0 }
    const figures: LaneFigures = { ...position, endOffset: ends?.get(lane.id.partition) ?? -1, timeMs }
    const notKnown =
      stored === undefined && lane.message === '' ? 'its state could not be read: cursor and parked are not known' : ''
    return { ...lane, figures, message: lane.message || notKnown }
  })
}

/** Asks Kafka once for the ends of a topic, however many use cases of a page read it. */
export function askEndsOnce(source: FiguresSource): FiguresSource {
  const answers = new Map<string, ReturnType<FiguresSource['endOffsets']>>()
  return {
    groupOffsets: (...asked) => source.groupOffsets(...asked),
    endOffsets: (cluster, topic) => {
      const key = `${cluster}/${topic}`
      const answer = answers.get(key) ?? source.endOffsets(cluster, topic)
      answers.set(key, answer)
      return answer
    },
  }
}

type Position = { readonly cursor: number; readonly floor: number; readonly parked: number }

async function readStored(
  { cluster, group, topic }: ViewedUseCase,
  lanes: readonly LaneView[],
  { store, source }: StoredFiguresParts,
): Promise<Map<number, Position>> {
  const ids = lanes.map((lane) => lane.id)
  const heads = await store.readHeads(ids)
  const parked = await store.countParked(ids)
  // What waits has a floor below the cursor; the group's offset is that floor, as of the last commit.
  const waiting = ids.filter((_id, index) => parked[index]! > 0).map((id) => id.partition)
  const committed = waiting.length === 0 ? [] : await source.groupOffsets(cluster, group, topic, waiting)
  const floors = new Map(committed.map((each) => [each.partition, each.offset]))
  return new Map(
    ids.map(({ partition }, index) => {
      const cursor = heads[index]?.cursor ?? 0
      return [partition, { cursor, floor: Math.min(cursor, floors.get(partition) ?? cursor), parked: parked[index]! }]
    }),
  )
}
