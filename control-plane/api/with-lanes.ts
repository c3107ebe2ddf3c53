import type { ServiceImpl } from '@connectrpc/connect'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { UseCaseService } from '../../proto/gen/ferry/v1/use_case_service_pb.ts'

export interface WithLanesOptions {
  /** Definitions have changed. */
  readonly changed: () => void
  /** Waits, within bounds, until the lanes of a new use case are registered. Never rejects. */
  readonly registered: (useCase: UseCase) => Promise<void>
}

/** The UseCaseService whose changes the fleet hears of at once, and whose creations answer when their lanes are registered. */
export function withLanes(
  service: ServiceImpl<typeof UseCaseService>,
  { changed, registered }: WithLanesOptions,
): ServiceImpl<typeof UseCaseService> {
  type Answer = { useCase?: unknown }
  const heard = async <T extends Answer>(answer: T | Promise<T>): Promise<T> => {
    const value = await answer
    changed()
    return value
  }
  const settled = async <T extends Answer>(answer: T | Promise<T>, validateOnly: boolean): Promise<T> => {
    const value = await heard(answer)
    const useCase = value.useCase as UseCase | undefined
    if (!validateOnly && useCase?.revision === 1n) await registered(useCase)
    return value
  }
  return {
    ...service,
    createUseCase: (request, context) => settled(service.createUseCase(request, context), request.validateOnly),
    updateUseCase: (request, context) => settled(service.updateUseCase(request, context), request.validateOnly),
    deleteUseCase: (request, context) => heard(service.deleteUseCase(request, context)),
    pauseUseCase: (request, context) => heard(service.pauseUseCase(request, context)),
    resumeUseCase: (request, context) => heard(service.resumeUseCase(request, context)),
  }
}
