import { Code, ConnectError } from '@connectrpc/connect'
import { FleetError, type FleetErrorCode } from '../fleet/fleet-error.ts'
import { ferryError } from '../serve/errors.ts'
import { answer } from './answer.ts'

const codes: Record<FleetErrorCode, Code> = {
  NO_LEADER: Code.Unavailable,
  STATE_UNAVAILABLE: Code.Unavailable,
  LOG_UNAVAILABLE: Code.Unavailable,
  SOURCE_UNAVAILABLE: Code.Unavailable,
  WORKER_EXPELLED: Code.FailedPrecondition,
  WORKER_WITHOUT_LEASE: Code.FailedPrecondition,
  USE_CASE_NOT_FOUND: Code.NotFound,
  WORKER_NOT_FOUND: Code.NotFound,
  LAST_WORKER: Code.FailedPrecondition,
  INVALID_PAGE_TOKEN: Code.InvalidArgument,
  LIMIT_EXCEEDED: Code.ResourceExhausted,
  NO_WORKER: Code.Unavailable,
  TRIAL_FAILED: Code.FailedPrecondition,
  TRIAL_TIMEOUT: Code.DeadlineExceeded,
}

const lostConnection: ReadonlySet<Code> = new Set([Code.Unavailable, Code.DeadlineExceeded])

/** Runs a call about the fleet; its errors, also those of a leader that was asked, are answered as the contract has them. */
export async function answerFleet<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await answer(work)
  } catch (error) {
    if (error instanceof FleetError) throw ferryError(codes[error.code], error.code, error.message)
    // Not the leader's own words, which have details, but this replica's connection to it.
    if (error instanceof ConnectError && lostConnection.has(error.code) && error.details.length === 0) {
      const message = `the leader does not answer (${error.rawMessage}): go on, and call again in a second`
      throw ferryError(Code.Unavailable, 'NO_LEADER', message)
    }
    throw error
  }
}
