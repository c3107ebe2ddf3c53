import type { ServiceImpl } from '@connectrpc/connect'
import { DeliveryService, ListAttemptsRequestSchema } from '../../proto/gen/ferry/v1/delivery_service_pb.ts'
import { ListFailureGroupsRequestSchema } from '../../proto/gen/ferry/v1/failure_groups_pb.ts'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { listFailureGroups } from '../attempts/failure-groups.ts'
import type { LogReader } from '../attempts/log-reader.ts'
import { checkOffsetFilter } from '../attempts/offset-filter.ts'
import { checkAttemptFilter, listAttempts, type PageLimits } from '../attempts/query.ts'
import { subjectOf } from '../attempts/subject.ts'
import { answer, refuseInvalid } from './answer.ts'

/** These tell what is wrong by the contract together with what it cannot say. */
export const selfCheckingDeliveryMethods = [
  DeliveryService.method.listAttempts,
  DeliveryService.method.listFailureGroups,
] as const

export interface QueryOptions {
  readonly log: LogReader
  /** Throws UseCaseError when there is none. */
  readonly useCase: (name: string) => Promise<UseCase>
  readonly pageLimits: PageLimits
  readonly nowMs: () => number
}

/** Methods of DeliveryService that ask the log what became of many deliveries. */
export function queryMethods({ log, useCase, pageLimits, nowMs }: QueryOptions) {
  const subject = async (name: string) => subjectOf(await useCase(name))
  return {
    listAttempts: (request) =>
      answer(async () => {
        const { filter, pageSize, pageToken } = request
        refuseInvalid(ListAttemptsRequestSchema, request, checkAttemptFilter(filter, request.useCase))
        const page = await listAttempts(log, await subject(request.useCase), { filter, pageSize, pageToken }, pageLimits, nowMs())
        return { attempts: [...page.attempts], nextPageToken: page.nextPageToken }
      }),
    listFailureGroups: (request) =>
      answer(async () => {
        const { filter, pageSize } = request
        refuseInvalid(ListFailureGroupsRequestSchema, request, filter ? checkOffsetFilter(filter, 'filter') : [])
        return listFailureGroups(log, await subject(request.useCase), filter, pageSize)
      }),
  } satisfies Partial<ServiceImpl<typeof DeliveryService>>
}
