import { isCelError, parse, plan } from '@bufbuild/cel'
import { describeProblem, ExpressionError, type ExpressionProblem } from '../expression-error.ts'
import type { RecordSource, SourceRecord } from '../source-record.ts'
import { checkExpression, usedVariables } from './check-expression.ts'
import { filterEnv } from './filter-functions.ts'
import type { FilterLimits } from './filter-limits.ts'
import { variableNames, variablesReader } from './filter-variables.ts'
import { limitSteps } from './limit-steps.ts'
import type { Parsed } from './walk-expression.ts'

/**
 * Whether a record is to be sent. `body` decodes its value, and is called only when the expression reads it; what it throws goes
 * through. Throws FilterError when the expression gives neither true nor false.
 */
export type Filter = (record: SourceRecord, source: RecordSource, body: (value: Buffer) => Buffer) => boolean

/** An expression that cannot decide about a record. The message says why and where in the expression. */
export class FilterError extends Error {
  override readonly name = 'FilterError'
}

/** How often a loop looks at the clock. */
const STEPS_PER_LOOK = 64

/** Compiles a CEL expression. Throws ExpressionError with everything that is wrong with it. */
export function compileFilter(text: string, limits: FilterLimits): Filter {
  const parsed = parseExpression(text)
  const steps = new Steps(limits)
  const env = filterEnv(() => steps.count(), limits.textCharsMax)
  const problems = checkExpression(parsed, env, variableNames)
  if (problems.length > 0) throw new ExpressionError(problems)
  const read = variablesReader(usedVariables(parsed.expr))
  limitSteps(parsed.expr)
  const evaluate = planExpression(env, parsed)
  return (record, source, body) => {
    const variables = read(record, source, body)
    steps.reset()
    const result = evaluate(variables)
    if (typeof result === 'boolean') return result
    if (!isCelError(result)) throw new FilterError(`the filter gives ${nameOf(result)}, neither true nor false`)
    const position = result.exprId === undefined ? undefined : parsed.sourceInfo?.positions[String(result.exprId)]
    throw new FilterError(`the filter fails ${describeProblem({ message: result.message, position })}`)
  }
}

function parseExpression(text: string): Parsed {
  try {
    return parse(text)
  } catch (error) {
    throw new ExpressionError([syntaxProblem(error)])
  }
}

function syntaxProblem(error: unknown): ExpressionProblem {
  const message = error instanceof Error ? error.message.replace(/^<input>:\d+:\d+: /, '') : String(error)
  const { location } = error as { location?: { start?: { offset?: number } } }
  return { message, position: location?.start?.offset }
}

function planExpression(env: ReturnType<typeof filterEnv>, parsed: Parsed): ReturnType<typeof plan> {
  try {
    return plan(env, parsed)
  } catch (error) {
    throw new ExpressionError([{ message: error instanceof Error ? error.message : String(error), position: undefined }])
  }
}

function nameOf(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return 'a text'
  return typeof value === 'number' || typeof value === 'bigint' ? 'a number' : 'no truth value'
}

/** Counts the rounds of an evaluation's loops. */
class Steps {
  readonly #limits: FilterLimits
  #taken = 0
  #startedAt = 0
  /** Stays: CEL's `||` and `&&` go on after an error. */
  #problem: string | undefined

  constructor(limits: FilterLimits) {
    this.#limits = limits
  }

  reset(): void {
    this.#taken = 0
    this.#problem = undefined
  }

  /** Throws an error when they have gone too far. */
  count(): void {
    const { stepsMax, timeoutMs } = this.#limits
    if (this.#taken++ === 0) this.#startedAt = performance.now()
    else if (this.#taken > stepsMax) this.#problem ??= `its loops take more than ${stepsMax} rounds`
    else if (this.#taken % STEPS_PER_LOOK === 0 && performance.now() - this.#startedAt > timeoutMs)
      this.#problem ??= `its loops take longer than ${timeoutMs} ms`
    if (this.#problem !== undefined) throw new Error(this.#problem)
  }
}
