import manifest from '../../package.json' with { type: 'json' }
import { isSecretHeader } from '../../runtime/secret-header.ts'
import { PlanError } from './plan-error.ts'

/** Names that belong to HTTP itself, to tracing or to Ferry; so do all that start with `ferry-`. A use case cannot set them. */
const reserved = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'idempotency-key',
  'keep-alive',
  'proxy-connection',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Sent unless the use case sets its own. */
const defaults: readonly (readonly [string, string])[] = [
  ['content-type', 'application/json'],
  ['user-agent', `ferry/${manifest.version}`],
]

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const valueForm = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * The headers that are the same for every request of a use case: its own and Ferry's defaults, as [name, value, ...],
 * names in lower case and in order.
 */
export function compileConstantHeaders(headers: Readonly<Record<string, string>>): string[] {
  const byName = new Map<string, string>()
  for (const [given, value] of Object.entries(headers)) {
    const field = `spec.destination.headers[${JSON.stringify(given)}]`
    const name = given.toLowerCase()
    if (!token.test(name)) throw new PlanError('INVALID', field, 'is no name of an HTTP header')
    if (reserved.has(name) || name.startsWith('ferry-'))
      throw new PlanError('INVALID', field, 'is set by HTTP or by Ferry itself')
    if (byName.has(name)) throw new PlanError('INVALID', field, 'is given twice, in upper and lower case')
    // The value may be a secret: it is not repeated.
    if (!valueForm.test(value)) throw new PlanError('INVALID', field, 'has a value with characters that no HTTP header may hold')
    byName.set(name, value)
  }
  for (const [name, value] of defaults) if (!byName.has(name)) byName.set(name, value)
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).flat()
}

/** The header of this content type, unless the use case has its own. */
export const contentType = (type: string, headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.keys(headers).some((name) => name.toLowerCase() === 'content-type') ? {} : { 'content-type': type }

export const MASK = '***'

/** The same headers as the attempt log may show them: the values of those that carry credentials, by their name or given as secrets, are masked. */
export function maskSecrets(headers: readonly string[], secrets: readonly string[] = []): string[] {
  const isSecret = (name: string): boolean => isSecretHeader(name) || secrets.includes(name)
  return headers.map((text, at) => (at % 2 === 1 && isSecret(headers[at - 1]!) ? MASK : text))
}
