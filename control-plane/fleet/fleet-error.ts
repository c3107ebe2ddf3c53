/** Closed: what can go wrong with the fleet that is no mistake of this process. */
export type FleetErrorCode =
  // No replica leads, or this one has not taken stock yet.
  | 'NO_LEADER'
  // Redis does not answer.
  | 'STATE_UNAVAILABLE'
  // ClickHouse does not answer.
  | 'LOG_UNAVAILABLE'
  // Kafka does not answer, or has no such topic.
  | 'SOURCE_UNAVAILABLE'
  // The worker's lease ran out and its lanes are others'.
  | 'WORKER_EXPELLED'
  | 'WORKER_WITHOUT_LEASE'
  | 'USE_CASE_NOT_FOUND'
  | 'WORKER_NOT_FOUND'
  // Nobody else could take its lanes.
  | 'LAST_WORKER'
  | 'INVALID_PAGE_TOKEN'
  // There are as many as may be.
  | 'LIMIT_EXCEEDED'
  // Nobody is there to try a definition.
  | 'NO_WORKER'
  // The worker says that it cannot be tried.
  | 'TRIAL_FAILED'
  | 'TRIAL_TIMEOUT'

export class FleetError extends Error {
  override readonly name = 'FleetError'
  readonly code: FleetErrorCode
  constructor(code: FleetErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.code = code
  }
}

/** The work's result; whatever it throws becomes a FleetError with this code. */
export async function asFleetError<T>(code: FleetErrorCode, who: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof FleetError) throw error
    throw new FleetError(code, `${who}: ${error instanceof Error ? error.message : String(error)}`, error)
  }
}
