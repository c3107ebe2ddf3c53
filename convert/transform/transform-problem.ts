/** One mistake in a transform. */
export interface TransformProblem {
  /** Of the step, from 0. */
  readonly step: number
  /** Within the step, in the contract's names: `move.fields["a"]`; empty for the step itself. */
  readonly field: string
  /** What is wrong and what would be right, as what follows the field in a sentence. */
  readonly message: string
}

/** A transform that cannot be carried out; it has every problem that was found. */
export class TransformSpecError extends Error {
  override readonly name = 'TransformSpecError'
  readonly problems: readonly TransformProblem[]

  constructor(problems: readonly TransformProblem[]) {
    super(problems.map(({ step, field, message }) => `transform[${step}].${field} ${message}`).join('; '))
    this.problems = problems
  }
}
