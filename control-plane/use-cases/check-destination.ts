import { toJson } from '@bufbuild/protobuf'
import { type Duration, DurationSchema, durationMs } from '@bufbuild/protobuf/wkt'
import type { Destination } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { EgressRules } from '../../runtime/egress-rules.ts'
import { defaults } from './defaults.ts'
import { quote, type Violation } from './violation.ts'

const path = 'use_case.spec.destination'

export function checkDestination(destination: Destination, egress: EgressRules): Violation[] {
  return [...checkUrl(destination.url, egress), ...checkHeaders(destination.headers), ...checkTimeouts(destination)]
}

function checkUrl(url: string, egress: EgressRules): Violation[] {
  const field = `${path}.url`
  const right = 'an absolute http or https URL with a host, for example https://orders.example/records'
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (!parsed)
    return [{ field, description: `${field} must be ${right}; given ${quote(withoutUserinfo(url))}`, reason: 'URL_INVALID' }]
  const violations: Violation[] = []
  const add = (reason: Violation['reason'], description: string): void => {
    violations.push({ field, description: `${field} ${description}`, reason })
  }
  const isHttp = parsed.protocol === 'http:' || parsed.protocol === 'https:'
  if (!isHttp) add('URL_SCHEME', `must be ${right}; given the scheme ${quote(parsed.protocol)}`)
  // The parser mends http:host and http:///host; what was meant is not sure enough to send records there.
  else if (!/^https?:\/\/[^/\\]/i.test(url)) add('URL_INVALID', `must be ${right}; given ${quote(withoutUserinfo(url))}`)
  if (isHttp && /[\s\\]/.test(url)) add('URL_INVALID', 'must have no spaces and no backslashes: write %20 and %5C')
  if (isHttp && parsed.port === '0') add('URL_INVALID', 'must have a port from 1 to 65535; given 0')
  if (parsed.username !== '' || parsed.password !== '') {
    add('URL_CREDENTIALS', 'must have no user and password in it, they would be seen in logs: send an authorization header')
  }
  const problem = isHttp ? egress.hostProblem(parsed.hostname) : undefined
  if (problem !== undefined) add('URL_BLOCKED', `must lead where Ferry may connect to: ${problem}`)
  if (url.includes('#')) add('URL_FRAGMENT', `must have no fragment, it is never sent; given ${quote(parsed.hash || '#')}`)
  return violations
}

const withoutUserinfo = (url: string): string => url.replace(/\/\/[^/?#]*@/, '//***@')

/** Names that belong to HTTP itself, to tracing, or to Ferry. */
const reservedNames = new Set([
  ...['connection', 'content-length', 'host', 'transfer-encoding', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade'],
  ...['expect', 'http2-settings', 'content-encoding', 'proxy-authorization', 'idempotency-key', 'traceparent', 'tracestate'],
])

export const headerNameLengthMax = 200
export const headerValueLengthMax = 4000

function checkHeaders(headers: Readonly<Record<string, string>>): Violation[] {
  const names = new Map<string, string>()
  return Object.entries(headers).flatMap(([name, value]) => {
    const lower = name.toLowerCase()
    const same = names.get(lower)
    names.set(lower, name)
    return checkHeader(name, value, same)
  })
}

function checkHeader(name: string, value: string, same: string | undefined): Violation[] {
  const field = `${path}.headers[${quote(name)}]`
  const violations: Violation[] = []
  const add = (reason: Violation['reason'], description: string): void => {
    violations.push({ field, description: `${field} ${description}`, reason })
  }
  // RFC 9110, 5.6.2 and 5.5: a token, and visible characters with spaces and tabs between them.
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || name.length > headerNameLengthMax) {
    add('HEADER_NAME', `must have a name of letters, digits and !#$%&'*+-.^_\`|~, at most ${headerNameLengthMax} characters`)
  }
  if (reservedNames.has(name.toLowerCase()) || name.toLowerCase().startsWith('ferry-')) {
    add('HEADER_RESERVED', 'belongs to HTTP itself or to Ferry: leave it out')
  }
  if (same !== undefined) add('HEADER_DUPLICATE', `is the same header as ${quote(same)}: give it once`)
  if (!/^([\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?)?$/.test(value)) {
    add('HEADER_VALUE', 'must have a value of visible ASCII characters, with spaces and tabs only between them')
  }
  if (value.length > headerValueLengthMax) {
    add('HEADER_VALUE', `must have a value of at most ${headerValueLengthMax} characters; given ${value.length}`)
  }
  return violations
}

function checkTimeouts({ requestTimeout, connectTimeout }: Destination): Violation[] {
  if (connectTimeout === undefined) return []
  const longestMs = requestTimeout ? durationMs(requestTimeout) : defaults.requestTimeoutMs
  if (durationMs(connectTimeout) <= longestMs) return []
  const field = `${path}.connect_timeout`
  const longest = requestTimeout ? secondsOf(requestTimeout) : `${defaults.requestTimeoutMs / 1000}s (the default)`
  const description = `${field} must be at most the request_timeout of ${longest}; given ${secondsOf(connectTimeout)}`
  return [{ field, description, reason: 'INTERVAL_ORDER' }]
}

/** As ProtoJSON has it; durations beyond its range are refused by the contract's rules. */
function secondsOf(duration: Duration): string {
  try {
    return String(toJson(DurationSchema, duration))
  } catch {
    return `${duration.seconds}s`
  }
}
