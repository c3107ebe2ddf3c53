import { usageError } from './cli-error.ts'

const id = '[a-z][a-z0-9-]{0,62}'
const whole = new RegExp(`^namespaces/(${id})/useCases/(${id})$`)
const short = new RegExp(`^(?:(${id})/)?(${id})$`)
const childShort = new RegExp(`^(?:(${id})/)?(${id})/([\\w-]+)$`)

/** What belongs to a use case and has a name of its own. */
export type Collection = 'retryBatches' | 'replays' | 'verifications'

const childWords: Readonly<Record<Collection, { readonly what: string; readonly listedBy: string }>> = {
  retryBatches: { what: 'batch', listedBy: 'ferry batches list' },
  replays: { what: 'replay', listedBy: 'ferry replays list NAME' },
  verifications: { what: 'verification', listedBy: 'ferry verifications list NAME' },
}

/** `orders` with a namespace, `shop/orders`, or the whole name. */
export function useCaseName(text: string, namespace: string | undefined): string {
  if (whole.test(text)) return text
  const match = short.exec(text)
  if (match === null)
    throw usageError(
      `"${text}" is no name of a use case`,
      'write shop/orders, or orders with --namespace; lower-case letters, digits and dashes, starting with a letter',
    )
  const [, given, use] = match
  const within = given ?? namespace
  if (within === undefined)
    throw usageError(`"${text}" says no namespace`, `write NAMESPACE/${use}, or set --namespace or FERRY_NAMESPACE`)
  return `namespaces/${checkedNamespace(within)}/useCases/${use}`
}

export function checkedNamespace(text: string): string {
  if (!new RegExp(`^${id}$`).test(text))
    throw usageError(`"${text}" is no namespace`, 'lower-case letters, digits and dashes, starting with a letter, at most 63')
  return text
}

/** As people write it: `shop/orders`. */
export function shortName(name: string): string {
  const match = whole.exec(name)
  return match === null ? name : `${match[1]}/${match[2]}`
}

export const namespaceOf = (name: string): string => whole.exec(name)?.[1] ?? ''

/** `orders/ID` with a namespace, `shop/orders/ID`, or the whole name. */
export function childName(collection: Collection, text: string, namespace: string | undefined): string {
  const [parent, rest] = text.split(`/${collection}/`)
  if (rest !== undefined && whole.test(parent!) && /^[\w-]+$/.test(rest)) return text
  const match = childShort.exec(text)
  const { what, listedBy } = childWords[collection]
  if (match === null) throw usageError(`"${text}" is no name of a ${what}`, `write shop/orders/ID as \`${listedBy}\` shows it`)
  const [, given, use, child] = match
  return `${useCaseName(given === undefined ? use! : `${given}/${use}`, namespace)}/${collection}/${child}`
}

/** `shop/orders/ID`. */
export function shortChildName(name: string): string {
  const [, parent, child] = /^(.*)\/\w+\/([^/]+)$/.exec(name) ?? []
  return parent !== undefined && whole.test(parent) ? `${shortName(parent)}/${child}` : name
}
