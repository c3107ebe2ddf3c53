import { UseCaseError } from './use-case-error.ts'

const defaultSize = 100

export interface Page<T> {
  readonly items: readonly T[]
  /** Empty on the last page. */
  readonly nextPageToken: string
}

/** One page of what `names` lists, which must be sorted. A token says after which name of which parent to go on. */
export function pageOf(names: readonly string[], parent: string, pageSize: number, token: string): Page<string> {
  const after = token === '' ? '' : readToken(token, parent)
  const first = names.findIndex((name) => name > after)
  if (first < 0) return { items: [], nextPageToken: '' }
  const items = names.slice(first, first + (pageSize || defaultSize))
  const more = first + items.length < names.length
  return { items, nextPageToken: more ? writeToken(parent, items.at(-1)!) : '' }
}

const writeToken = (parent: string, name: string): string => Buffer.from(`1\n${parent}\n${name}`).toString('base64url')

function readToken(token: string, parent: string): string {
  const [version, ofParent, name, ...rest] = Buffer.from(token, 'base64url').toString().split('\n')
  if (version === '1' && ofParent === parent && name !== undefined && rest.length === 0) return name
  const field = 'page_token'
  const description = `${field} must be the next_page_token of a page of the same list; start again without one`
  throw new UseCaseError('INVALID_PAGE_TOKEN', description, { violations: [{ field, description, reason: 'PAGE_TOKEN' }] })
}
