import { ClientAuthentication, type OAuth2ClientCredentials } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import type { EgressRules } from '../../runtime/egress-rules.ts'
import { type Token, tokenFetcher } from '../../runtime/fetch-token.ts'
import { guardedConnector } from './egress-guard.ts'
import { choice, durationMs, part } from './plan-values.ts'

const isInForm = {
  [ClientAuthentication.UNSPECIFIED]: false,
  [ClientAuthentication.BASIC]: false,
  [ClientAuthentication.FORM]: true,
} as const

/** Asks an endpoint's token server, and connects only to where the rules allow. */
export function compileTokenFetcher(field: string, given: OAuth2ClientCredentials, egress: EgressRules): () => Promise<Token> {
  const { tokenUrl, clientId, scopes, parameters, clientAuthentication } = part(field, given)
  const timeoutMs = durationMs(`${field}.token_timeout`, given.tokenTimeout, 10_000, 1)
  const client = {
    ...{ tokenUrl, clientId, clientSecret: part(`${field}.client_secret`, given.clientSecret).value },
    ...{ scope: scopes.join(' '), parameters },
    isInForm: choice(`${field}.client_authentication`, isInForm, clientAuthentication),
  }
  return tokenFetcher(client, timeoutMs, guardedConnector(egress, { timeout: timeoutMs }))
}
