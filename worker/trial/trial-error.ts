/** Why there is no answer to a trial. */
export class TrialError extends Error {
  override readonly name = 'TrialError'
  /** It is this worker's own problem. */
  readonly otherWorker: boolean

  constructor(message: string, otherWorker = false) {
    super(message)
    this.otherWorker = otherWorker
  }
}
