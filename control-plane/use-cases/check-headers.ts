import { isSecretHeader } from '../../runtime/secret-header.ts'
import { quote, type Violation } from './violation.ts'

/** Names that belong to HTTP itself, to tracing, or to Ferry. */
const reservedNames = new Set([
  ...['connection', 'content-length', 'host', 'transfer-encoding', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade'],
  ...['expect', 'http2-settings', 'content-encoding', 'proxy-authorization', 'idempotency-key', 'traceparent', 'tracestate'],
  ...['webhook-id', 'webhook-timestamp', 'webhook-signature'],
])

export const headerNameLengthMax = 200
export const headerValueLengthMax = 4000

/** Headers that anybody may see: what is a credential by its name belongs elsewhere. */
export function checkPublicHeaders(path: string, headers: Readonly<Record<string, string>>): Violation[] {
  return checkNames(path, Object.keys(headers)).concat(
    Object.entries(headers).flatMap(([name, value]) => {
      const field = `${path}[${quote(name)}]`
      const description = `${field} carries a credential, which answers and the audit would show: give it as auth, for example auth.api_key.headers`
      const isSecret = isSecretHeader(name.toLowerCase()) && !reservedNames.has(name.toLowerCase())
      return [...(isSecret ? [{ field, description, reason: 'HEADER_SECRET' }] : []), ...checkHeaderValue(field, value)]
    }),
  )
}

/** A header once, and none that others set. `taken`: names that are given elsewhere. */
export function checkNames(path: string, names: readonly string[], taken: readonly string[] = []): Violation[] {
  const seen = new Map<string, string>(taken.map((name) => [name.toLowerCase(), name]))
  return names.flatMap((name) => {
    const lower = name.toLowerCase()
    const same = seen.get(lower)
    seen.set(lower, name)
    return checkName(`${path}[${quote(name)}]`, name, same)
  })
}

function checkName(field: string, name: string, same: string | undefined): Violation[] {
  const violations: Violation[] = []
  const add = (reason: Violation['reason'], description: string): void => {
    violations.push({ field, description: `${field} ${description}`, reason })
  }
  // RFC 9110, 5.6.2: a token.
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || name.length > headerNameLengthMax) {
    add('HEADER_NAME', `must have a name of letters, digits and !#$%&'*+-.^_\`|~, at most ${headerNameLengthMax} characters`)
  }
  if (reservedNames.has(name.toLowerCase()) || name.toLowerCase().startsWith('ferry-')) {
    add('HEADER_RESERVED', 'belongs to HTTP itself or to Ferry: leave it out')
  }
  if (same !== undefined) add('HEADER_DUPLICATE', `is the same header as ${quote(same)}: give it once`)
  return violations
}

/** RFC 9110, 5.5. The value itself is not repeated. */
export function checkHeaderValue(field: string, value: string): Violation[] {
  const violations: Violation[] = []
  const add = (description: string): void => {
    violations.push({ field, description: `${field} ${description}`, reason: 'HEADER_VALUE' })
  }
  if (!/^([\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?)?$/.test(value)) {
    add('must have a value of visible ASCII characters, with spaces and tabs only between them')
  }
  if (value.length > headerValueLengthMax) {
    add(`must have a value of at most ${headerValueLengthMax} characters; given ${value.length}`)
  }
  return violations
}
