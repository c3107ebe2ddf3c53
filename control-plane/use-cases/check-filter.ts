import { ExpressionError } from '../../convert/expression-error.ts'
import { compileFilter } from '../../convert/filter/compile-filter.ts'
import { defaultFilterLimits } from '../../convert/filter/filter-limits.ts'
import { shorten, type Violation } from './violation.ts'

const field = 'use_case.spec.filter'

/** Says everything that is wrong with a filter, each with its position, as the worker that compiles it would. */
export function checkFilter(filter: string): Violation[] {
  if (filter === '') return []
  try {
    compileFilter(filter, defaultFilterLimits)
    return []
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    return error.problems.map(({ message, position }) => ({
      field,
      description: describe(filter, message, position),
      reason: 'FILTER_INVALID',
    }))
  }
}

function describe(filter: string, message: string, position: number | undefined): string {
  if (position === undefined) return `${field} must be a CEL expression: ${message}`
  return `${field} must be a CEL expression; at character ${position + 1}, before ${rest(filter, position)}: ${message}`
}

const rest = (filter: string, position: number): string =>
  position >= filter.length ? 'its end' : JSON.stringify(shorten(filter.slice(position)))
