/** One mistake in a request. */
export interface Violation {
  /** Path from the request's root, in the contract's names: `filter.from_offset`. */
  readonly field: string
  /** The field, what was given and what would be right, in one sentence. */
  readonly description: string
  readonly reason: ViolationReason
}

/** What the read side checks beyond the contract's own rules. Closed: a new reason is added here. */
export type ViolationReason =
  | 'PARTITION_MISSING'
  | 'PARTITION_NOT_FOUND'
  | 'PARTITION_DUPLICATE'
  | 'OFFSET_ORDER'
  | 'OFFSET_BEYOND_END'
  | 'OFFSETS_MISSING'
  | 'OFFSETS_TOO_MANY'
  | 'TIME_ORDER'
  | 'OFFSET_AND_TIME'
  | 'TIME_IN_FUTURE'
  | 'WINDOW_DUPLICATE'
  | 'REQUEST_ID_REUSED'
  | 'RANGE_EMPTY'
  | 'FIELDS_CONFLICT'
  | 'URL_REFUSED'
  | 'RETRY_BATCH_NAME'
  | 'INTERVAL'

/** Why a question about deliveries or retry batches is not answered. Closed; the API gives each a status. */
export type QueryErrorCode =
  | 'INVALID_REQUEST'
  | 'INVALID_PAGE_TOKEN'
  | 'USE_CASE_DELETING'
  | 'DELIVERY_NOT_FOUND'
  | 'DELIVERY_NOT_WAITING'
  | 'DELIVERY_BEHIND'
  | 'RETRY_BATCH_NOT_FOUND'
  | 'REPLAY_NOT_FOUND'
  | 'RETRY_BATCH_ENDED'
  | 'VERIFICATION_NOT_FOUND'
  | 'VERIFICATION_ENDED'
  | 'CONCURRENT_CHANGE'
  | 'LIMIT_EXCEEDED'
  | 'STATE_UNAVAILABLE'
  | 'LOG_UNAVAILABLE'
  | 'SOURCE_UNAVAILABLE'

export class QueryError extends Error {
  override readonly name = 'QueryError'
  readonly code: QueryErrorCode
  readonly violations: readonly Violation[]

  constructor(code: QueryErrorCode, message: string, violations: readonly Violation[] = [], cause?: unknown) {
    super(message, { cause })
    this.code = code
    this.violations = violations
  }
}

/** Refuses a request id under which something else was asked for: `other` says how it differs. */
export function refuseReusedRequestId(firstName: string, other: string): never {
  const description = `request_id was used for ${firstName}, which is ${other}: choose a new one`
  throw invalidRequest([{ field: 'request_id', description, reason: 'REQUEST_ID_REUSED' }])
}

/** Refuses with every violation at once; does nothing when there is none. */
export function refuse(violations: readonly Violation[]): void {
  if (violations.length > 0) throw invalidRequest(violations)
}

const invalidRequest = (violations: readonly Violation[]): QueryError =>
  new QueryError('INVALID_REQUEST', violations.map((each) => each.description).join('. '), violations)
