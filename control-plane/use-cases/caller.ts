/** Who changes something, for the audit. */
export interface Caller {
  readonly actor: string
}
