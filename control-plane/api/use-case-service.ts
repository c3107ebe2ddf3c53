import { create } from '@bufbuild/protobuf'
import { Code, type ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect'
import { type UseCase, UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { UseCaseService } from '../../proto/gen/ferry/v1/use_case_service_pb.ts'
import { type ErrorReason, ferryError } from '../serve/errors.ts'
import { StoreError, type StoreErrorCode } from '../store/store-error.ts'
import type { Caller } from '../use-cases/caller.ts'
import type { Lifecycle } from '../use-cases/lifecycle.ts'
import type { Registry } from '../use-cases/registry.ts'
import { UseCaseError, type UseCaseErrorCode } from '../use-cases/use-case-error.ts'

/** These tell what is wrong by the contract together with what it cannot say, so that a caller sees every mistake at once. */
export const selfCheckingMethods = [UseCaseService.method.createUseCase, UseCaseService.method.updateUseCase] as const

/** The contract's UseCaseService on the domain. */
export function useCaseService(registry: Registry, lifecycle: Lifecycle): ServiceImpl<typeof UseCaseService> {
  return {
    createUseCase: ({ useCase, validateOnly }, context) =>
      answer(async () => ({ useCase: await registry.create(given(useCase), validateOnly, callerOf(context)) })),
    getUseCase: ({ name }) => answer(async () => ({ useCase: await registry.get(name) })),
    listUseCases: ({ parent, pageSize, pageToken }) =>
      answer(async () => {
        const { items, nextPageToken } = await registry.list(parent, pageSize, pageToken)
        return { useCases: [...items], nextPageToken }
      }),
    updateUseCase: ({ useCase, updateMask, allowMissing, validateOnly }, context) =>
      answer(async () => {
        const update = { useCase: given(useCase), maskPaths: updateMask?.paths ?? [], allowMissing, validateOnly }
        return { useCase: await registry.update(update, callerOf(context)) }
      }),
    deleteUseCase: ({ name, force, etag }, context) =>
      answer(async () => ({ useCase: await lifecycle.delete(name, force, etag, callerOf(context)) })),
    pauseUseCase: ({ name, reason, until }, context) =>
      answer(async () => ({ useCase: await lifecycle.pause(name, reason, until, callerOf(context)) })),
    resumeUseCase: ({ name }, context) => answer(async () => ({ useCase: await lifecycle.resume(name, callerOf(context)) })),
  }
}

/** A request without one is told all that is missing in it. */
const given = (useCase: UseCase | undefined): UseCase => useCase ?? create(UseCaseSchema)

const actorLengthMax = 200

/** Whoever the caller says it is: nothing checks that yet. */
function callerOf(context: HandlerContext): Caller {
  const actor = context.requestHeader.get('ferry-actor')?.trim().slice(0, actorLengthMax)
  return { actor: actor || 'anonymous' }
}

async function answer<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw toConnectError(error) ?? error
  }
}

const codes: Record<UseCaseErrorCode, Code> = {
  INVALID_REQUEST: Code.InvalidArgument,
  IMMUTABLE_FIELD: Code.InvalidArgument,
  INVALID_PAGE_TOKEN: Code.InvalidArgument,
  USE_CASE_NOT_FOUND: Code.NotFound,
  USE_CASE_EXISTS: Code.AlreadyExists,
  ETAG_MISMATCH: Code.Aborted,
  CONCURRENT_CHANGE: Code.Aborted,
  DELIVERIES_WAITING: Code.FailedPrecondition,
  USE_CASE_DELETING: Code.FailedPrecondition,
  STATE_UNAVAILABLE: Code.Unavailable,
  SOURCE_UNAVAILABLE: Code.Unavailable,
  LOG_UNAVAILABLE: Code.Unavailable,
  LIMIT_EXCEEDED: Code.ResourceExhausted,
}

/** MIGRATION_CHANGED ends a process at its start and reaches no caller. */
type CallerStoreCode = Exclude<StoreErrorCode, 'MIGRATION_CHANGED'>

function toConnectError(error: unknown): ConnectError | undefined {
  if (error instanceof UseCaseError) {
    return ferryError(codes[error.code], error.code satisfies ErrorReason, error.message, error.metadata, error.violations)
  }
  if (error instanceof StoreError && error.code !== 'MIGRATION_CHANGED') {
    const code: CallerStoreCode = error.code
    return ferryError(codes[code], code, error.message)
  }
  return undefined
}
