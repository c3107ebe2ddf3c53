import type { Auth } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import { PlanError } from './plan-error.ts'
import { part } from './plan-values.ts'

/** The headers of an auth that are the same for every request: their values are secret. An OAuth 2 token is none of them. */
export function compileAuthHeaders(field: string, auth: Auth | undefined): Record<string, string> {
  if (auth === undefined) return {}
  const { scheme } = part(field, auth)
  switch (scheme.case) {
    case 'none':
    case 'oauth2':
      return {}
    case 'bearer':
      return { authorization: `Bearer ${part(`${field}.bearer.token`, scheme.value.token).value}` }
    case 'basic': {
      const password = part(`${field}.basic.password`, scheme.value.password).value
      return { authorization: `Basic ${Buffer.from(`${scheme.value.username}:${password}`).toString('base64')}` }
    }
    case 'apiKey':
      return Object.fromEntries(Object.entries(scheme.value.headers).map(([name, { value }]) => [name.toLowerCase(), value]))
    case undefined:
      throw new PlanError('UNSUPPORTED', field, 'has no scheme that this worker knows')
  }
}
