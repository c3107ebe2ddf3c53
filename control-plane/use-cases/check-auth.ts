import type { ApiKeyAuth, Auth, OAuth2ClientCredentials, Secret } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import type { EgressRules } from '../../runtime/egress-rules.ts'
import { checkHeaderValue, checkNames } from './check-headers.ts'
import { checkUrl } from './check-url.ts'
import { quote, type Violation } from './violation.ts'

/** Form parameters that the token request has anyway. */
const formNames = new Set(['grant_type', 'scope', 'client_id', 'client_secret'])

/** What is wrong with an auth whose secrets are there as far as they can be opened. Nothing of a secret is repeated. */
export function checkAuth(path: string, { scheme }: Auth, headerNames: readonly string[], egress: EgressRules): Violation[] {
  const field = `${path}.${scheme.case === 'apiKey' ? 'api_key' : scheme.case}`
  const asAuthorization = (): Violation[] => checkNames(field, ['authorization'], headerNames)
  switch (scheme.case) {
    case 'bearer':
      return [...asAuthorization(), ...checkToken(`${field}.token`, scheme.value.token)]
    case 'basic':
      return [...asAuthorization(), ...checkBasic(field, scheme.value.username, scheme.value.password)]
    case 'apiKey':
      return checkApiKey(`${field}.headers`, scheme.value, headerNames)
    case 'oauth2':
      return [...asAuthorization(), ...checkOAuth2(field, scheme.value, egress)]
    default:
      return []
  }
}

/** RFC 6750, 2.1, and what else servers give as a token. */
function checkToken(field: string, token: Secret | undefined): Violation[] {
  if (token === undefined || /^[\x21-\x7e]*$/.test(token.value)) return []
  return [{ field, description: `${field} must be visible ASCII characters without spaces`, reason: 'HEADER_VALUE' }]
}

/** RFC 7617, 2: no control characters, and a colon ends the user name. */
export function checkBasic(field: string, username: string, password: Secret | undefined): Violation[] {
  const violations: Violation[] = []
  const add = (name: string, right: string): void => {
    violations.push({ field: `${field}.${name}`, description: `${field}.${name} must have ${right}`, reason: 'HEADER_VALUE' })
  }
  if (/[\p{Cc}:]/u.test(username)) add('username', 'no colon and no control characters')
  if (/\p{Cc}/u.test(password?.value ?? '')) add('password', 'no control characters')
  return violations
}

function checkApiKey(path: string, { headers }: ApiKeyAuth, headerNames: readonly string[]): Violation[] {
  return [
    ...checkNames(path, Object.keys(headers), headerNames),
    ...Object.entries(headers).flatMap(([name, { value }]) => checkHeaderValue(`${path}[${quote(name)}]`, value)),
  ]
}

function checkOAuth2(field: string, { tokenUrl, parameters }: OAuth2ClientCredentials, egress: EgressRules): Violation[] {
  const taken = Object.keys(parameters).filter((name) => formNames.has(name))
  return [
    ...checkUrl(`${field}.token_url`, tokenUrl, egress),
    ...taken.map((name) => {
      const at = `${field}.parameters[${quote(name)}]`
      return { field: at, description: `${at} is set by Ferry: leave it out`, reason: 'PARAMETER_RESERVED' as const }
    }),
  ]
}
