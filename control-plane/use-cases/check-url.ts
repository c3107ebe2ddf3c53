import type { EgressRules } from '../../runtime/egress-rules.ts'
import { quote, type Violation } from './violation.ts'

/** What is wrong with a URL that workers are to call. credentials: how they are given instead. */
export function checkUrl(field: string, url: string, egress: EgressRules, credentials = 'as auth'): Violation[] {
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
    add('URL_CREDENTIALS', `must have no user and password in it, they would be seen in logs: give them ${credentials}`)
  }
  const problem = isHttp ? egress.hostProblem(parsed.hostname) : undefined
  if (problem !== undefined) add('URL_BLOCKED', `must lead where Ferry may connect to: ${problem}`)
  if (url.includes('#')) add('URL_FRAGMENT', `must have no fragment, it is never sent; given ${quote(parsed.hash || '#')}`)
  return violations
}

const withoutUserinfo = (url: string): string => url.replace(/\/\/[^/?#]*@/, '//***@')
