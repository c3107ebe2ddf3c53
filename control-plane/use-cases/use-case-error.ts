import type { Violation } from './violation.ts'

/** Why a call about use cases is refused. Closed; the API gives each a status. */
export type UseCaseErrorCode =
  | 'INVALID_REQUEST'
  | 'IMMUTABLE_FIELD'
  | 'INVALID_PAGE_TOKEN'
  | 'USE_CASE_NOT_FOUND'
  | 'USE_CASE_EXISTS'
  | 'ETAG_MISMATCH'
  | 'CONCURRENT_CHANGE'
  | 'DELIVERIES_WAITING'
  | 'USE_CASE_DELETING'
  | 'SECRETS_UNAVAILABLE'
  | 'STATE_UNAVAILABLE'
  | 'SOURCE_UNAVAILABLE'
  | 'LOG_UNAVAILABLE'
  | 'LIMIT_EXCEEDED'

export class UseCaseError extends Error {
  override readonly name = 'UseCaseError'
  readonly code: UseCaseErrorCode
  /** For programs. */
  readonly metadata: Readonly<Record<string, string>>
  readonly violations: readonly Violation[]

  constructor(
    code: UseCaseErrorCode,
    message: string,
    more: {
      readonly metadata?: Readonly<Record<string, string>>
      readonly violations?: readonly Violation[]
      readonly cause?: unknown
    } = {},
  ) {
    super(message, { cause: more.cause })
    this.code = code
    this.metadata = more.metadata ?? {}
    this.violations = more.violations ?? []
  }
}

/** How much of the violations the message repeats, for clients that do not show details. */
const messageLengthMax = 700

/** Refuses with every violation at once; does nothing when there is none. */
export function refuse(violations: readonly Violation[]): void {
  if (violations.length === 0) return
  const immutable = violations.every((each) => each.reason === 'IMMUTABLE_FIELD')
  const head = violations.length === 1 ? '' : `${violations.length} mistakes: `
  const text = head + violations.map((each) => each.description).join('. ')
  const message = text.length <= messageLengthMax ? text : `${text.slice(0, messageLengthMax)}... (see the error's details)`
  throw new UseCaseError(immutable ? 'IMMUTABLE_FIELD' : 'INVALID_REQUEST', message, { violations })
}
