import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { listFailureGroups } from '../control-plane/attempts/failure-groups.ts'
import { getDelivery } from '../control-plane/attempts/get-delivery.ts'
import { listDeliveries } from '../control-plane/attempts/list-deliveries.ts'
import { LogReader } from '../control-plane/attempts/log-reader.ts'
import { listAttempts } from '../control-plane/attempts/query.ts'
import type { Subject } from '../control-plane/attempts/subject.ts'
import { summarize } from '../control-plane/attempts/summarize.ts'
import { planSummary, type SummaryPlan } from '../control-plane/attempts/summary-plan.ts'
import { AttemptFilterSchema } from '../proto/gen/ferry/v1/attempt_filter_pb.ts'
import { DeliveryFilterSchema } from '../proto/gen/ferry/v1/deliveries_pb.ts'
import { DeliveryState, Outcome, Reason } from '../proto/gen/ferry/v1/delivery_pb.ts'
import { FailureFilterSchema } from '../proto/gen/ferry/v1/failure_groups_pb.ts'
import { SummarizeRequestSchema } from '../proto/gen/ferry/v1/summary_pb.ts'
import type { ClickHouseClient } from '../runtime/clickhouse.ts'
import type { Redis } from '../runtime/redis.ts'
import { type QueryRows, rowPartitions } from './query-rows.ts'

/** What is timed: answers how much it got. */
export interface QueryCall {
  readonly name: string
  readonly run: () => Promise<number>
  /** Not timed. */
  readonly prepare?: () => Promise<void>
}

const dayMs = 86_400_000
const pageLimits = { pageBytesMax: 3 << 20 }
const searchLimits = { ...pageLimits, windowsMax: 100, searchMsMax: 5000 }
/** As a control plane has them when nobody says otherwise. */
const readLimits = { executionTimeoutMs: 20_000, rowsToReadMax: 100_000_000, groupBytesMax: 512 << 20 }

/** Each call of the read side that lists or adds up, as an operator would make it. */
export function queryCalls(clickhouse: ClickHouseClient, redis: Redis, subject: Subject, data: QueryRows): QueryCall[] {
  const log = new LogReader(clickhouse, readLimits)
  const end = Math.ceil(data.rows / rowPartitions)
  const of = (offset: number) => async () => new Map(Array.from({ length: rowPartitions }, (_, index) => [index, offset]))
  const sources = { log, redis, offsets: { endOffsets: of(end), startOffsets: of(0) } }
  const nowMs = data.startMs + data.spanMs
  const page = (filter: MessageInitShape<typeof AttemptFilterSchema>, pageToken: string) =>
    listAttempts(log, subject, { filter: create(AttemptFilterSchema, filter), pageSize: 50, pageToken }, pageLimits, nowMs)
  const attempts = (filter: MessageInitShape<typeof AttemptFilterSchema>) => async () => (await page(filter, '')).attempts.length
  /** Only its own page is timed: the ones before are turned once. */
  const attemptsOfPage = (filter: MessageInitShape<typeof AttemptFilterSchema>, pages: number) => {
    let before = ''
    const prepare = async (): Promise<void> => {
      for (let turned = 1; turned < pages; turned++) before = (await page(filter, before)).nextPageToken
    }
    return { prepare, run: async () => (await page(filter, before)).attempts.length }
  }
  const deliveries = (filter: MessageInitShape<typeof DeliveryFilterSchema>) => async () => {
    const query = { filter: create(DeliveryFilterSchema, filter), pageSize: 50, pageToken: '' }
    return (await listDeliveries(sources, subject, query, searchLimits)).deliveries.length
  }
  const groups = (filter: MessageInitShape<typeof FailureFilterSchema>) => async () =>
    (await listFailureGroups(log, subject, create(FailureFilterSchema, filter), 50)).failureGroups.length
  const sums = (days: number, seconds: number) => async () => {
    const given = {
      ...{ fromTime: timestampFromMs(nowMs - days * dayMs), toTime: timestampFromMs(nowMs) },
      interval: { seconds: BigInt(seconds) },
    }
    const plan = planSummary(create(SummarizeRequestSchema, given), nowMs) as SummaryPlan
    return (await summarize(log, subject, plan, [], nowMs)).intervals.length
  }
  const failed = { outcomes: [Outcome.FAILED] }
  return [
    { name: 'ListAttempts, the newest', run: attempts({}) },
    { name: 'ListAttempts, FAILED', run: attempts(failed) },
    { name: 'ListAttempts, by one key', run: attempts({ key: 'customer-77777' }) },
    { name: 'ListAttempts, a text that is rare', run: attempts({ ...failed, text: 'order 4711 ' }) },
    { name: 'ListAttempts, of one offset', run: attempts({ partition: 3, fromOffset: 100n, toOffset: 101n }) },
    { name: 'ListAttempts, a reason that nothing has', run: attempts({ reasons: [Reason.TLS_FAILED] }) },
    { name: 'ListAttempts, page 20 of FAILED', ...attemptsOfPage(failed, 20) },
    { name: 'ListDeliveries, all', run: deliveries({}) },
    { name: 'ListDeliveries, FAILED', run: deliveries(failed) },
    { name: 'ListDeliveries, PARKED', run: deliveries({ states: [DeliveryState.PARKED] }) },
    { name: 'ListDeliveries, by one key', run: deliveries({ partition: 3, key: 'customer-77777' }) },
    {
      name: 'ListDeliveries, a reason that nothing has',
      run: deliveries({ states: [DeliveryState.ENDED], reasons: [Reason.TLS_FAILED] }),
    },
    {
      name: 'GetDelivery',
      run: async () => Number((await getDelivery(sources, pageLimits, subject, 5, 123_456 % end)).attempts.length),
    },
    { name: 'ListFailureGroups, all', run: groups({}) },
    { name: 'ListFailureGroups, of one day', run: groups({ fromTime: timestampFromMs(nowMs - dayMs) }) },
    { name: 'Summarize, a month by days', run: sums(30, 86_400) },
    { name: 'Summarize, a month by hours', run: sums(30, 3600) },
    { name: 'Summarize, a month by half hours', run: sums(30, 1800) },
    { name: 'Summarize, a day by minutes', run: sums(1, 60) },
  ]
}
