import { create } from '@bufbuild/protobuf'
import type { ServiceImpl } from '@connectrpc/connect'
import { type UseCase, UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { UseCaseService } from '../../proto/gen/ferry/v1/use_case_service_pb.ts'
import type { Lifecycle } from '../use-cases/lifecycle.ts'
import type { Registry } from '../use-cases/registry.ts'
import { answered } from '../use-cases/use-case-secrets.ts'
import { answer, callerOf, seenBy } from './answer.ts'

/** These tell what is wrong by the contract together with what it cannot say, so that a caller sees every mistake at once. */
export const selfCheckingMethods = [UseCaseService.method.createUseCase, UseCaseService.method.updateUseCase] as const

/** The contract's UseCaseService on the domain. */
export function useCaseService(
  registry: Registry,
  lifecycle: Lifecycle,
  previews: Pick<ServiceImpl<typeof UseCaseService>, 'preview' | 'test'>,
): ServiceImpl<typeof UseCaseService> {
  return {
    ...previews,
    createUseCase: ({ useCase, validateOnly }, context) =>
      answer(async () => ({ useCase: answered(await registry.create(given(useCase), validateOnly, callerOf(context))) })),
    getUseCase: ({ name }) => answer(async () => ({ useCase: answered(await registry.get(name)) })),
    listUseCases: ({ parent, pageSize, pageToken }, context) =>
      answer(async () => {
        const { items, nextPageToken } = await registry.list(parent, pageSize, pageToken, seenBy(context))
        return { useCases: items.map(answered), nextPageToken }
      }),
    updateUseCase: ({ useCase, updateMask, allowMissing, validateOnly }, context) =>
      answer(async () => {
        const update = { useCase: given(useCase), maskPaths: updateMask?.paths ?? [], allowMissing, validateOnly }
        return { useCase: answered(await registry.update(update, callerOf(context))) }
      }),
    deleteUseCase: ({ name, force, etag }, context) =>
      answer(async () => ({ useCase: answered(await lifecycle.delete(name, force, etag, callerOf(context))) })),
    pauseUseCase: ({ name, reason, until }, context) =>
      answer(async () => ({ useCase: answered(await lifecycle.pause(name, reason, until, callerOf(context))) })),
    resumeUseCase: ({ name }, context) =>
      answer(async () => ({ useCase: answered(await lifecycle.resume(name, callerOf(context))) })),
  }
}

/** A request without one is told all that is missing in it. */
const given = (useCase: UseCase | undefined): UseCase => useCase ?? create(UseCaseSchema)
