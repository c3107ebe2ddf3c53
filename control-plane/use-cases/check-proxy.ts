import type { HttpProxy } from '../../proto/gen/ferry/v1/proxy_pb.ts'
import type { EgressRules } from '../../runtime/egress-rules.ts'
import { checkBasic } from './check-auth.ts'
import { checkUrl } from './check-url.ts'
import type { Violation } from './violation.ts'

export function checkProxy(path: string, { url, username, password }: HttpProxy, egress: EgressRules): Violation[] {
  const violations = checkUrl(`${path}.url`, url, egress, 'as username and password')
  const add = (name: string, reason: Violation['reason'], right: string): void => {
    violations.push({ field: `${path}.${name}`, description: `${path}.${name} must ${right}`, reason })
  }
  const { pathname, search } = URL.canParse(url) ? new URL(url) : { pathname: '/', search: '' }
  const isHttp = /^https?:/i.test(url)
  if (isHttp && (pathname !== '/' || search !== '')) add('url', 'URL_INVALID', 'be a scheme, a host and a port, without a path')
  if (username !== '' && password === undefined) add('password', 'PROXY_INCOMPLETE', 'be given with username')
  if (username === '' && password !== undefined) add('username', 'PROXY_INCOMPLETE', 'be given with password')
  return [...violations, ...checkBasic(path, username, password)]
}
