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

/** Redis may be one that has lost all: nothing is written to it before its changes are known. */
export const unprepared = (): StoreError =>
  new StoreError(
    'STATE_UNAVAILABLE',
    'Redis is empty, and no leader has yet compared it with the audit in ClickHouse: call again when ClickHouse answers',
  )

/** As many changes wait for ClickHouse as may be. */
export const outboxFull = (outboxEntriesMax: number): StoreError =>
  new StoreError(
    'LIMIT_EXCEEDED',
    `${outboxEntriesMax} changes wait to be written to the audit: see why ClickHouse does not take them, then call again`,
  )
