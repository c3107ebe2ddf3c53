import { create, toBinary } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import {
  BadRequest_FieldViolationSchema,
  BadRequestSchema,
  ErrorInfoSchema,
} from '../../proto/gen/google/rpc/error_details_pb.ts'

/** `domain` of every google.rpc.ErrorInfo that Ferry answers. */
const ERROR_DOMAIN = 'ferry'

/** Why a call failed, for programs. Closed: a new reason is added here. */
export type ErrorReason =
  // INVALID_ARGUMENT
  | 'INVALID_REQUEST' // the request breaks rules of the contract; violations say which
  | 'IMMUTABLE_FIELD' // the field cannot change after creation
  | 'INVALID_PAGE_TOKEN' // not a token of this list, or of another filter
  // NOT_FOUND
  | 'USE_CASE_NOT_FOUND'
  | 'TOPIC_NOT_FOUND'
  | 'CLUSTER_NOT_FOUND'
  | 'DELIVERY_NOT_FOUND'
  | 'RETRY_BATCH_NOT_FOUND'
  | 'WORKER_NOT_FOUND'
  | 'REPLAY_NOT_FOUND'
  | 'TOKEN_NOT_FOUND'
  | 'VERIFICATION_NOT_FOUND'
  | 'SERVICE_NOT_FOUND' // health: no such service
  // ALREADY_EXISTS
  | 'USE_CASE_EXISTS' // with another definition
  | 'TOKEN_EXISTS' // or has been there: ids of tokens are used once
  // ABORTED
  | 'ETAG_MISMATCH' // somebody changed it in between: get it and try again
  | 'CONCURRENT_CHANGE' // two changes at once: try again
  // FAILED_PRECONDITION
  | 'DELIVERIES_WAITING' // a delete without force
  | 'USE_CASE_DELETING'
  | 'SECRETS_UNAVAILABLE' // there is no key to encrypt with: whoever runs Ferry sets FERRY_SECRET_KEYS
  | 'RETRY_BATCH_ENDED'
  | 'VERIFICATION_ENDED'
  | 'DELIVERY_NOT_WAITING'
  | 'LAST_WORKER' // nobody else could take its lanes
  | 'DELIVERY_BEHIND' // it waits behind an earlier one of its key
  | 'TRIAL_FAILED' // a preview or test that no worker can do, and why
  | 'ACCESS_OPEN' // a token would protect nothing: whoever runs Ferry sets FERRY_ADMIN_TOKEN_SHA256
  | 'PROTOCOL_VERSION_UNSUPPORTED' // the worker is older or newer than this control plane can serve
  | 'WORKER_EXPELLED' // start again as a new instance
  | 'WORKER_WITHOUT_LEASE' // take a lease in Redis, and call again
  // UNAVAILABLE
  | 'NO_LEADER' // no replica leads at this moment: try again
  | 'STATE_UNAVAILABLE' // Redis
  | 'LOG_UNAVAILABLE' // ClickHouse
  | 'SOURCE_UNAVAILABLE' // Kafka
  | 'NO_WORKER' // a preview or test that no worker has taken
  | 'SERVER_STOPPING' // call again, another replica answers
  // the others
  | 'DEADLINE_EXCEEDED'
  | 'TRIAL_TIMEOUT' // DEADLINE_EXCEEDED: a worker has taken a preview or test, and has not answered
  | 'CANCELED'
  | 'LIMIT_EXCEEDED' // RESOURCE_EXHAUSTED
  | 'UNAUTHENTICATED' // nobody has proven who calls
  | 'PERMISSION_DENIED' // another role, or another namespace
  | 'UNIMPLEMENTED'
  | 'UNAVAILABLE'
  | 'INTERNAL' // nothing that the caller can do; the id is in the server's log

/** One mistake in a request. */
export type FieldViolation = {
  /** Path from the request's root, in the contract's names: `use_case.spec.retry.max_retries`. */
  readonly field: string
  /** The field, what was given (shortened, no secrets) and what would be right, in one sentence. */
  readonly description: string
  /** The rule for programs, as STRING_PATTERN. */
  readonly reason?: string
}

/**
 * Violations travel in a trailer, and common gRPC clients refuse more than 8 KiB of trailers. So much of it is theirs, before
 * base64; it is enough for about 20 of them. What does not fit is counted, never dropped in silence.
 */
const VIOLATION_BYTES_MAX = 4000

/** An error as callers see it: a code, ErrorInfo with a reason, and BadRequest when there are violations. */
export function ferryError(
  code: Code,
  reason: ErrorReason,
  message: string,
  metadata: Readonly<Record<string, string>> = {},
  violations: readonly FieldViolation[] = [],
): ConnectError {
  const fitting = countFitting(violations)
  const leftOut = violations.length - fitting
  const info = {
    reason,
    domain: ERROR_DOMAIN,
    metadata: leftOut > 0 ? { ...metadata, violationsLeftOut: String(leftOut) } : metadata,
  }
  const error = new ConnectError(message, code, undefined, [{ desc: ErrorInfoSchema, value: info }])
  if (fitting > 0) {
    error.details.push({
      desc: BadRequestSchema,
      value: { fieldViolations: violations.slice(0, fitting).map((each) => ({ ...each })) },
    })
  }
  return error
}

function countFitting(violations: readonly FieldViolation[]): number {
  let bytes = 0
  let count = 0
  for (const violation of violations) {
    bytes += toBinary(BadRequest_FieldViolationSchema, create(BadRequest_FieldViolationSchema, { ...violation })).length + 4
    if (bytes > VIOLATION_BYTES_MAX) break
    count++
  }
  return count
}

/** What may be said about an error that nobody planned: an id that the log has too. */
export function internalError(errorId: string): ConnectError {
  return ferryError(Code.Internal, 'INTERNAL', `internal error; the server's log has it as ${errorId}`, { errorId })
}

const reasonOfCode: Partial<Record<Code, ErrorReason>> = {
  [Code.Canceled]: 'CANCELED',
  [Code.InvalidArgument]: 'INVALID_REQUEST',
  [Code.DeadlineExceeded]: 'DEADLINE_EXCEEDED',
  [Code.PermissionDenied]: 'PERMISSION_DENIED',
  [Code.ResourceExhausted]: 'LIMIT_EXCEEDED',
  [Code.Unimplemented]: 'UNIMPLEMENTED',
  [Code.Unavailable]: 'UNAVAILABLE',
  [Code.Unauthenticated]: 'UNAUTHENTICATED',
}

/** Gives a ConnectError that came without one an ErrorInfo, so that every answered error has a reason. */
export function withReason(error: ConnectError): ConnectError {
  const reason = reasonOfCode[error.code]
  if (reason === undefined || error.findDetails(ErrorInfoSchema).length > 0) return error
  const info = { desc: ErrorInfoSchema, value: { reason, domain: ERROR_DOMAIN } }
  const named = new ConnectError(error.rawMessage, error.code, error.isWireError ? undefined : error.metadata, [], error.cause)
  named.details = [...error.details, info]
  return named
}

/** The reason in an error's ErrorInfo, of whatever domain. */
export function reasonOf(error: ConnectError): string | undefined {
  return error.findDetails(ErrorInfoSchema)[0]?.reason
}
