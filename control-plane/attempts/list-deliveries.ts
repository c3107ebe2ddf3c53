import { create, toBinary } from '@bufbuild/protobuf'
import { type DeliveryFilter, DeliveryFilterSchema } from '../../proto/gen/ferry/v1/deliveries_pb.ts'
import type { Delivery } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { Redis } from '../../runtime/redis.ts'
import { findCandidates, narrow, type Search, unreadOf } from './delivery-candidates.ts'
import { checkDeliveryFilter, selects, wantedOf } from './delivery-filter.ts'
import { readDeliveryLog } from './delivery-log.ts'
import { deliveryMessage } from './delivery-message.ts'
import { readWholeLane } from './lane-position.ts'
import type { LogReader } from './log-reader.ts'
import { positionIn, writePageToken } from './page-token.ts'
import type { PageLimits } from './query.ts'
import { refuse } from './query-error.ts'
import { laneOf, type Subject, subjectParams, subjectSql } from './subject.ts'
import { askOffsets, type TopicOffsets } from './topic-offsets.ts'

// Goes through the partitions, and in each of them from the end down. What was not found among the first offsets is looked for
// among more and more of them, so that a page costs little however much the log has, and a rare one costs a few looks.
//
//   the page is full, or the answer is  | the token names the last delivery of the page
//   so much was looked at               | the token names how far the search came, and the page is short
//   nothing is left                     | no token
//
// The position is an offset: whatever a delivery does meanwhile, it is on one page.

export interface DeliveryQuery {
  readonly filter: DeliveryFilter | undefined
  /** 0 means 50. */
  readonly pageSize: number
  /** Empty for the first page. */
  readonly pageToken: string
}

export interface DeliveryPage {
  readonly deliveries: readonly Delivery[]
  /** Empty on the last page. */
  readonly nextPageToken: string
}

export interface ListSources {
  readonly log: LogReader
  readonly redis: Redis
  readonly offsets: TopicOffsets
}

/** A page looks at so many windows of offsets, and no longer than this. */
export interface SearchLimits extends PageLimits {
  readonly windowsMax: number
  readonly searchMsMax: number
}

type Place = readonly [partition: number, below: number]

const defaultPageSize = 50
const candidatesMin = 100
const candidatesMax = 1000
const spanMin = 10_000
const spanMax = 2 ** 26
const spanGrowth = 32

const startsSql = `SELECT partition, max(run.2) + 1 AS start FROM ranges ARRAY JOIN runs AS run
  WHERE ${subjectSql} AND kind = 'BEFORE_START' GROUP BY partition`

export async function listDeliveries(
  sources: ListSources,
  subject: Subject,
  { filter, pageSize, pageToken }: DeliveryQuery,
  limits: SearchLimits,
): Promise<DeliveryPage> {
  refuse(checkDeliveryFilter(filter, subject.name))
  const words = Buffer.from(toBinary(DeliveryFilterSchema, filter ?? create(DeliveryFilterSchema))).toString('hex')
  const list = `deliveries ${subject.uid} ${words}`
  const after = positionIn<Place>(pageToken, list, [0, 0])
  const rowsMax = pageSize || defaultPageSize
  const page: Delivery[] = []
  const answer = (next: Place | undefined): DeliveryPage => ({
    deliveries: page,
    nextPageToken: next === undefined ? '' : writePageToken(next, list),
  })
  const budget = { windows: limits.windowsMax, untilMs: performance.now() + limits.searchMsMax, bytes: limits.pageBytesMax }
  for (const { partition, lowest, below } of await placesOf(sources, subject, filter, after)) {
    const search = await openSearch(sources, subject, partition, filter, below.end)
    let at = below.at
    let span = spanMin
    while (at > lowest) {
      if (budget.windows-- === 0 || performance.now() > budget.untilMs) return answer([partition, at])
      const candidatesWanted = Math.min(candidatesMax, Math.max(candidatesMin, rowsMax + 1 - page.length))
      const found = await findCandidates(search, Math.max(lowest, at - span), at, candidatesWanted)
      for (const { delivery, size } of await lookUp(search, found)) {
        budget.bytes -= size
        if (page.length === rowsMax || (page.length > 0 && budget.bytes < 0)) {
          const { partition: lastPartition, offset } = page.at(-1)!
          return answer([lastPartition, Number(offset)])
        }
        page.push(delivery)
      }
      span = found.offsets.length < candidatesWanted / 2 ? Math.min(spanMax, span * spanGrowth) : spanMin
      at = found.from
    }
  }
  return answer(undefined)
}

interface SearchPlace {
  readonly partition: number
  readonly lowest: number
  readonly below: { readonly at: number; readonly end: number }
}

/** The partitions that are left, in order, and where to look in each. */
async function placesOf(
  { log, offsets }: ListSources,
  subject: Subject,
  filter: DeliveryFilter | undefined,
  after: Place | undefined,
): Promise<SearchPlace[]> {
  const [ends, starts] = await Promise.all([
    askOffsets(offsets.endOffsets(subject.cluster, subject.topic)),
    log.select<{ partition: number; start: number }>({ sql: startsSql, params: subjectParams(subject), narrow }),
  ])
  const only = filter?.partition
  if (only !== undefined && !ends.has(only)) {
    const description = `filter.partition is ${only}, and topic ${subject.topic} has only 0 to ${ends.size - 1}`
    refuse([{ field: 'filter.partition', description, reason: 'PARTITION_NOT_FOUND' }])
  }
  const startOf = new Map(starts.map(({ partition, start }) => [partition, start]))
  const partitions = only === undefined ? [...ends.keys()].sort((a, b) => a - b) : [only]
  return partitions
    .filter((partition) => partition >= (after?.[0] ?? 0))
    .map((partition) => {
      const end = ends.get(partition)!
      const below = after?.[0] === partition ? after[1] : Math.min(end, Number(filter?.toOffset ?? end))
      return {
        partition,
        lowest: Math.max(startOf.get(partition) ?? 0, Number(filter?.fromOffset ?? 0)),
        below: { at: below, end },
      }
    })
}

async function openSearch(
  { log, redis }: ListSources,
  subject: Subject,
  partition: number,
  filter: DeliveryFilter | undefined,
  end: number,
): Promise<Search> {
  // Redis first: what it no longer parks when it is asked is in the log by then.
  const lane = await readWholeLane(redis, laneOf(subject, partition))
  const wanted = wantedOf(filter)
  return { log, subject, partition, lane, wanted, filter, unread: wanted.waiting ? unreadOf(lane, end) : [] }
}

/** The candidates that the filter selects, as they are. */
async function lookUp(search: Search, { offsets, ranges }: Awaited<ReturnType<typeof findCandidates>>) {
  const { log, subject, partition, lane, filter } = search
  const known = await readDeliveryLog(log, subject, partition, offsets, filter?.key ?? '', narrow)
  return offsets.flatMap((offset) => {
    const attempts = known.attempts.get(offset)
    const delivery = deliveryMessage(subject, {
      ...{ partition, offset, attempts, outcomes: known.outcomes.get(offset) ?? [] },
      lane: { cursor: lane.cursor, ended: lane.ended, parked: lane.parked.get(offset) },
      range: ranges.find(({ first, last }) => first <= offset && offset <= last),
    })
    if (!selects(filter, delivery, attempts?.isKey ?? false)) return []
    return [{ delivery, size: 200 + delivery.text.length + delivery.key.length }]
  })
}
