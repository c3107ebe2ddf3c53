/** What the rosters of a worker have of it. */
export interface RosterParts {
  /** Whether the log has room for another attempt's row. */
  readonly logIsOpen: () => boolean
  /** Whether rows go into the spool, because ClickHouse is away. */
  readonly logIsSpooling: () => boolean
  /** Whether this worker may send, by its lease: asked before each request, with both clocks, just read. */
  readonly maySend: (now: number, nowMs: number) => boolean
  readonly onLanded: (outcome: number) => void
  /** Something has waited for the rate limit for so long. */
  readonly onRateLimited: (useCase: string, text: string, ms: number, now: number) => void
}
