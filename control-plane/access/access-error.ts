/** Closed: why a caller is not let in, or a token not given. */
export type AccessErrorCode =
  // Nobody has proven who calls.
  | 'UNAUTHENTICATED'
  // Known, and may not.
  | 'PERMISSION_DENIED'
  // Who calls cannot be looked up: Redis does not answer, or is not compared with the audit yet.
  | 'STATE_UNAVAILABLE'
  | 'INVALID_REQUEST'
  | 'TOKEN_NOT_FOUND'
  | 'TOKEN_EXISTS'
  // Nobody is asked who they are: a token would protect nothing.
  | 'ACCESS_OPEN'
  | 'CONCURRENT_CHANGE'
  | 'LIMIT_EXCEEDED'

export class AccessError extends Error {
  override readonly name = 'AccessError'
  readonly code: AccessErrorCode
  readonly violations: readonly AccessViolation[]

  constructor(code: AccessErrorCode, message: string, violations: readonly AccessViolation[] = [], cause?: unknown) {
    super(message, { cause })
    this.code = code
    this.violations = violations
  }
}

/** One mistake in a request. */
export interface AccessViolation {
  readonly field: string
  readonly description: string
  readonly reason: 'TOKEN_EXPIRE_TIME' | 'TOKEN_NAMESPACES'
}
