import jsonata from 'jsonata'
import { ExpressionError } from '../expression-error.ts'
import { readJsonataError } from './jsonata-error.ts'

/** Throws ExpressionError when this is no JSONata expression. Nothing is evaluated. */
export function checkJsonata(expression: string): void {
  try {
    jsonata(expression)
  } catch (error) {
    throw new ExpressionError([readJsonataError(error)])
  }
}
