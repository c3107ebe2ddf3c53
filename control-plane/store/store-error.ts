/** Closed: what can go wrong with the store that is no mistake of the caller. */
export type StoreErrorCode =
  // Redis does not answer. A write may have happened.
  | 'STATE_UNAVAILABLE'
  // ClickHouse does not answer.
  | 'LOG_UNAVAILABLE'
  // An applied migration is not the one in this build.
  | 'MIGRATION_CHANGED'
  // As many definitions, or changes that wait for ClickHouse, as may be.
  | 'LIMIT_EXCEEDED'

export class StoreError extends Error {
  readonly code: StoreErrorCode
  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'StoreError'
    this.code = code
  }
}
