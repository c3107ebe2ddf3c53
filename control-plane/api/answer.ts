import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { Code, type ConnectError, type HandlerContext } from '@connectrpc/connect'
import { AccessError } from '../access/access-error.ts'
import { mayUseNamespace, namespaceOf } from '../access/identity.ts'
import { QueryError, type QueryErrorCode } from '../attempts/query-error.ts'
import { toAccessAnswer } from '../serve/access-answer.ts'
import { type ErrorReason, type FieldViolation, ferryError } from '../serve/errors.ts'
import { findViolations, invalidRequest } from '../serve/validate-request.ts'
import { callerOf } from '../serve/who-calls.ts'
import { StoreError, type StoreErrorCode } from '../store/store-error.ts'
import { UseCaseError, type UseCaseErrorCode } from '../use-cases/use-case-error.ts'

export { callerOf }

/** Whether the caller may see what has this name. */
export function seenBy(context: HandlerContext): (name: string) => boolean {
  const { identity } = callerOf(context)
  return (name) => mayUseNamespace(identity, namespaceOf(name) ?? '')
}

/** Does the work; what the domain refuses becomes an error of the contract. */
export async function answer<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw toConnectError(error) ?? error
  }
}

/** The same for what is answered in many messages. */
export async function* answerAll<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* messages
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
  REPLAY_NOT_FOUND: Code.NotFound,
  VERIFICATION_NOT_FOUND: Code.NotFound,
  USE_CASE_EXISTS: Code.AlreadyExists,
  ETAG_MISMATCH: Code.Aborted,
  CONCURRENT_CHANGE: Code.Aborted,
  DELIVERIES_WAITING: Code.FailedPrecondition,
  USE_CASE_DELETING: Code.FailedPrecondition,
  SECRETS_UNAVAILABLE: Code.FailedPrecondition,
  RETRY_BATCH_ENDED: Code.FailedPrecondition,
  VERIFICATION_ENDED: Code.FailedPrecondition,
  DELIVERY_NOT_WAITING: Code.FailedPrecondition,
  DELIVERY_BEHIND: Code.FailedPrecondition,
  STATE_UNAVAILABLE: Code.Unavailable,
  SOURCE_UNAVAILABLE: Code.Unavailable,
  LOG_UNAVAILABLE: Code.Unavailable,
  LIMIT_EXCEEDED: Code.ResourceExhausted,
}

function toConnectError(error: unknown): ConnectError | undefined {
  if (error instanceof AccessError) return toAccessAnswer(error)
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
