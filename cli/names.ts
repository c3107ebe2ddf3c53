import { usageError } from './cli-error.ts'

const id = '[a-z][a-z0-9-]{0,62}'
const whole = new RegExp(`^namespaces/(${id})/useCases/(${id})$`)
const short = new RegExp(`^(?:(${id})/)?(${id})$`)
const batchWhole = new RegExp(`^(namespaces/${id}/useCases/${id})/retryBatches/([\\w-]+)$`)
const batchShort = new RegExp(`^(?:(${id})/)?(${id})/([\\w-]+)$`)

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
export function batchName(text: string, namespace: string | undefined): string {
  if (batchWhole.test(text)) return text
  const match = batchShort.exec(text)
  if (match === null) throw usageError(`"${text}" is no name of a batch`, 'write shop/orders/ID as `ferry batches list` shows it')
  const [, given, use, batch] = match
  return `${useCaseName(given === undefined ? use! : `${given}/${use}`, namespace)}/retryBatches/${batch}`
}

/** `shop/orders/ID`. */
export function shortBatchName(name: string): string {
  const match = batchWhole.exec(name)
  return match === null ? name : `${shortName(match[1]!)}/${match[2]}`
}
