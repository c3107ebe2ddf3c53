/**
 * MISSING: a part that every use case has is not there.
 * INVALID: a value that the control plane should have refused.
 * UNSUPPORTED: the use case asks for something that this worker does not know; its control plane is newer.
 */
export type PlanErrorCode = 'MISSING' | 'INVALID' | 'UNSUPPORTED'

/** A use case that this worker cannot carry out: its lanes stop and show the message. */
export class PlanError extends Error {
  override readonly name = 'PlanError'
  readonly code: PlanErrorCode
  /** The field of the use case, as its proto path. */
  readonly field: string

  constructor(code: PlanErrorCode, field: string, problem: string) {
    super(`${field} ${problem}. ${advice[code]}`)
    this.code = code
    this.field = field
  }
}

const advice: Record<PlanErrorCode, string> = {
  MISSING: 'Update the use case',
  INVALID: 'Update the use case',
  UNSUPPORTED: 'Upgrade this worker to the version of the control plane',
}
