import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { ServiceImpl } from '@connectrpc/connect'
import { ListDeliveriesRequestSchema } from '../../proto/gen/ferry/v1/deliveries_pb.ts'
import { DeliveryService, ListAttemptsRequestSchema } from '../../proto/gen/ferry/v1/delivery_service_pb.ts'
import { ListFailureGroupsRequestSchema } from '../../proto/gen/ferry/v1/failure_groups_pb.ts'
import { SummarizeRequestSchema } from '../../proto/gen/ferry/v1/summary_pb.ts'
import { type TailRequest, TailRequestSchema } from '../../proto/gen/ferry/v1/tail_pb.ts'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { checkDeliveryFilter } from '../attempts/delivery-filter.ts'
import { listFailureGroups } from '../attempts/failure-groups.ts'
import { type ListSources, listDeliveries } from '../attempts/list-deliveries.ts'
import { checkOffsetFilter } from '../attempts/offset-filter.ts'
import { checkAttemptFilter, listAttempts, type PageLimits } from '../attempts/query.ts'
import { QueryError } from '../attempts/query-error.ts'
import { subjectOf } from '../attempts/subject.ts'
import { summarize } from '../attempts/summarize.ts'
import { planSummary, type SummaryPlan } from '../attempts/summary-plan.ts'
import { type TailLimits, tail } from '../attempts/tail.ts'
import { answer, answerAll, refuseInvalid } from './answer.ts'

/** These tell what is wrong by the contract together with what it cannot say. */
export const selfCheckingDeliveryMethods = [
  DeliveryService.method.listAttempts,
  DeliveryService.method.listDeliveries,
  DeliveryService.method.listFailureGroups,
  DeliveryService.method.summarize,
  DeliveryService.method.tail,
] as const

const defaultPerSecondMax = 100
const searchLimits = { windowsMax: 100, searchMsMax: 5000 }

export interface QueryOptions extends ListSources {
  /** Throws UseCaseError when there is none. */
  readonly useCase: (name: string) => Promise<UseCase>
  readonly pageLimits: PageLimits
  readonly nowMs: () => number
  readonly tailLimits: TailLimits
  /** Streams of Tail at once. */
  readonly tailsMax: number
}

/** Methods of DeliveryService that ask the log what became of many deliveries. */
export function queryMethods(options: QueryOptions) {
  const { log, useCase, pageLimits, nowMs } = options
  const subject = async (name: string) => subjectOf(await useCase(name))
  let tails = 0
  async function* messagesOf(request: TailRequest, signal: AbortSignal) {
    refuseInvalid(TailRequestSchema, request, checkAttemptFilter(request.filter, request.useCase))
    const followed = await subject(request.useCase)
    if (tails >= options.tailsMax)
      throw new QueryError(
        'LIMIT_EXCEEDED',
        `${tails} streams of Tail are open, as many as may be (FERRY_TAILS_MAX): end one first`,
      )
    tails++
    try {
      const perSecondMax = request.attemptsPerSecondMax || defaultPerSecondMax
      for await (const { attempts, skipped, logMs } of tail(
        log,
        followed,
        request.filter,
        perSecondMax,
        options.tailLimits,
        signal,
      ))
        yield { attempts: [...attempts], skipped: BigInt(skipped), logTime: timestampFromMs(logMs) }
    } finally {
      tails--
    }
  }
  return {
    listAttempts: (request) =>
      answer(async () => {
        const { filter, pageSize, pageToken } = request
        refuseInvalid(ListAttemptsRequestSchema, request, checkAttemptFilter(filter, request.useCase))
        const page = await listAttempts(log, await subject(request.useCase), { filter, pageSize, pageToken }, pageLimits, nowMs())
        return { attempts: [...page.attempts], nextPageToken: page.nextPageToken }
      }),
    listDeliveries: (request) =>
      answer(async () => {
        const { filter, pageSize, pageToken } = request
        refuseInvalid(ListDeliveriesRequestSchema, request, checkDeliveryFilter(filter, request.useCase))
        const query = { filter, pageSize, pageToken }
        const page = await listDeliveries(options, await subject(request.useCase), query, { ...pageLimits, ...searchLimits })
        return { deliveries: [...page.deliveries], nextPageToken: page.nextPageToken }
      }),
    listFailureGroups: (request) =>
      answer(async () => {
        const { filter, pageSize } = request
        refuseInvalid(ListFailureGroupsRequestSchema, request, filter ? checkOffsetFilter(filter, 'filter') : [])
        return listFailureGroups(log, await subject(request.useCase), filter, pageSize)
      }),
    summarize: (request) =>
      answer(async () => {
        const now = nowMs()
        const plan = planSummary(request, now)
        refuseInvalid(SummarizeRequestSchema, request, 'table' in plan ? [] : plan)
        return summarize(log, await subject(request.useCase), plan as SummaryPlan, request.purposes, now)
      }),
    tail: (request, { signal }) => answerAll(messagesOf(request, signal)),
  } satisfies Partial<ServiceImpl<typeof DeliveryService>>
}
