/**
 * - MISSING_PROGRAM: the set-up has not been run, or a program is not on the PATH
 * - PORT_TAKEN: another process listens on the port that was asked for
 * - DID_NOT_START: the process ended, or was not ready within its deadline
 */
export type StackErrorCode = 'MISSING_PROGRAM' | 'PORT_TAKEN' | 'DID_NOT_START'

/** A part of the local stack could not be started. The message says what to do, or ends with the part's own last words. */
export class StackError extends Error {
  readonly code: StackErrorCode
  constructor(code: StackErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
