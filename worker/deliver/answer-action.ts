import { responseHeader } from './response-header.ts'

/** What an endpoint says by its answer is to become of the delivery: the header `ferry-action`. */
export type AnswerAction =
  | { readonly kind: 'RETRY'; readonly afterMs: number | undefined }
  | { readonly kind: 'SKIP' | 'FAIL' }
  | { readonly kind: 'UNKNOWN'; readonly error: string }

const NAME = 'ferry-action'
const retry = /^retry(?:\s*;\s*after\s*=\s*(\d{1,9}))?$/i
const shownLengthMax = 50

/** Undefined without such a header. What it means when it is none of the known is for whoever reads the log. */
export function readAnswerAction(headers: readonly Buffer[]): AnswerAction | undefined {
  const text = responseHeader(headers, NAME)?.trim()
  if (text === undefined) return undefined
  const match = retry.exec(text)
  if (match !== null) return { kind: 'RETRY', afterMs: match[1] === undefined ? undefined : Number(match[1]) * 1000 }
  const word = text.toUpperCase()
  if (word === 'SKIP' || word === 'FAIL') return { kind: word }
  const shown = JSON.stringify(text.slice(0, shownLengthMax))
  return { kind: 'UNKNOWN', error: `${NAME} must be retry, retry;after=SECONDS, skip or fail, not ${shown}: the status decided` }
}
