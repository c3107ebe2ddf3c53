/** One mistake in an expression. */
export interface ExpressionProblem {
  /** In one sentence without the position. */
  readonly message: string
  /** Character of the expression, from 0, at which it begins; undefined where none is to blame. */
  readonly position: number | undefined
}

/** An expression that cannot be carried out; it has every problem that was found. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError'
  readonly problems: readonly ExpressionProblem[]

  constructor(problems: readonly ExpressionProblem[]) {
    super(problems.map(describeProblem).join('; '))
    this.problems = problems
  }
}

export const describeProblem = ({ message, position }: ExpressionProblem): string =>
  position === undefined ? message : `at character ${position + 1}: ${message}`
