import type { ExpressionProblem } from '../expression-error.ts'
import { describeProblem } from '../expression-error.ts'

const LENGTH_MAX = 300

/** JSONata's errors are plain objects; their positions count from 1, and point behind what is wrong. */
export function readJsonataError(error: unknown): ExpressionProblem {
  if (error instanceof RangeError && /call stack/.test(error.message))
    return { message: 'it is nested too deep', position: undefined }
  const { message, position, code } = error as { message?: unknown; position?: unknown; code?: unknown }
  const text = typeof message === 'string' ? message : String(code ?? error)
  return {
    message: text.length <= LENGTH_MAX ? text : `${text.slice(0, LENGTH_MAX)}...`,
    position: typeof position === 'number' && position > 0 ? position - 1 : undefined,
  }
}

export const describeJsonataError = (error: unknown): string => describeProblem(readJsonataError(error))
