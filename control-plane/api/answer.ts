import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { Code, type ConnectError, type HandlerContext } from '@connectrpc/connect'
import { QueryError, type QueryErrorCode } from '../attempts/query-error.ts'
import { actorHeader } from '../fleet/leader-client.ts'
import { type ErrorReason, type FieldViolation, ferryError } from '../serve/errors.ts'
import { findViolations, invalidRequest } from '../serve/validate-request.ts'
import { StoreError, type StoreErrorCode } from '../store/store-error.ts'
import type { Caller } from '../use-cases/caller.ts'
import { UseCaseError, type UseCaseErrorCode } from '../use-cases/use-case-error.ts'

const actorLengthMax = 200

/** Whoever the caller says it is: nothing checks that yet. */
export function callerOf(context: HandlerContext): Caller {
  const actor = context.requestHeader.get(actorHeader)?.trim().slice(0, actorLengthMax)
  return { actor: actor || 'anonymous' }
}

/** Does the work; what the domain refuses becomes an error of the contract. */
export async function answer<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw toConnectError(error) ?? error
  }
}

/** For methods that check themselves: what is wrong by the contract together with what it cannot say, every mistake at once. */
export function refuseInvalid<D extends DescMessage>(desc: D, request: MessageShape<D>, more: readonly FieldViolation[]): void {
  const violations = [...findViolations(desc, request), ...more]
  if (violations.length > 0) throw invalidRequest(violations)
}

/** MIGRATION_CHANGED ends a process at its start and reaches no caller. */
type CallerStoreCode = Exclude<StoreErrorCode, 'MIGRATION_CHANGED'>

const codes: Record<UseCaseErrorCode | QueryErrorCode | CallerStoreCode, Code> = {
  INVALID_REQUEST: Code.InvalidArgument,
  IMMUTABLE_FIELD: Code.InvalidArgument,
  INVALID_PAGE_TOKEN: Code.InvalidArgument,
  USE_CASE_NOT_FOUND: Code.NotFound,
  DELIVERY_NOT_FOUND: Code.NotFound,
  RETRY_BATCH_NOT_FOUND: Code.NotFound,
  USE_CASE_EXISTS: Code.AlreadyExists,
  ETAG_MISMATCH: Code.Aborted,
  CONCURRENT_CHANGE: Code.Aborted,
  DELIVERIES_WAITING: Code.FailedPrecondition,
  USE_CASE_DELETING: Code.FailedPrecondition,
  SECRETS_UNAVAILABLE: Code.FailedPrecondition,
  RETRY_BATCH_ENDED: Code.FailedPrecondition,
  DELIVERY_NOT_WAITING: Code.FailedPrecondition,
  DELIVERY_BEHIND: Code.FailedPrecondition,
  STATE_UNAVAILABLE: Code.Unavailable,
  SOURCE_UNAVAILABLE: Code.Unavailable,
  LOG_UNAVAILABLE: Code.Unavailable,
  LIMIT_EXCEEDED: Code.ResourceExhausted,
}

function toConnectError(error: unknown): ConnectError | undefined {
  if (error instanceof UseCaseError) {
    return ferryError(codes[error.code], error.code satisfies ErrorReason, error.message, error.metadata, error.violations)
  }
  if (error instanceof QueryError) {
    return ferryError(codes[error.code], error.code satisfies ErrorReason, error.message, {}, error.violations)
  }
  if (error instanceof StoreError && error.code !== 'MIGRATION_CHANGED') {
    const code: CallerStoreCode = error.code
    return ferryError(codes[code], code, error.message)
  }
  return undefined
}
