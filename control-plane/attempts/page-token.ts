import { createHash } from 'node:crypto'
import { QueryError } from './query-error.ts'

/** Where a page ends: what the list is sorted by, in this order. */
export type Position = readonly (number | string)[]

/** `list` says which list a token belongs to: everything that must not change from page to page. */
export function writePageToken(position: Position, list: string): string {
  const words = JSON.stringify(position)
  return Buffer.from(`${sealOf(words, list)}${words}`).toString('base64url')
}

/** Undefined when the token was not written by writePageToken for this list. `form`: what a position of this list is like. */
export function readPageToken<P extends Position>(token: string, list: string, form: P): P | undefined {
  const text = Buffer.from(token, 'base64url').toString('utf8')
  const words = text.slice(sealLength)
  if (text.slice(0, sealLength) !== sealOf(words, list)) return undefined
  try {
    const position = JSON.parse(words) as unknown
    return isLike(position, form) ? position : undefined
  } catch {
    return undefined
  }
}

/** The same; throws INVALID_PAGE_TOKEN. Undefined for the first page. */
export function positionIn<P extends Position>(token: string, list: string, form: P): P | undefined {
  if (token === '') return undefined
  const position = readPageToken(token, list, form)
  if (position) return position
  throw new QueryError(
    'INVALID_PAGE_TOKEN',
    'page_token must be the next_page_token of a page of the same use case with the same filter; start again without one',
  )
}

const sealLength = 16

/** Not secret: it finds tokens of another list and damaged ones; a forged one can only name another place in the same list. */
const sealOf = (words: string, list: string): string =>
  createHash('sha256').update(`${words}\n${list}`).digest('hex').slice(0, sealLength)

function isLike<P extends Position>(position: unknown, form: P): position is P {
  if (!Array.isArray(position) || position.length !== form.length) return false
  return position.every((word: unknown, at) => {
    if (typeof form[at] === 'string') return typeof word === 'string'
    return Number.isSafeInteger(word) && (word as number) >= 0
  })
}
