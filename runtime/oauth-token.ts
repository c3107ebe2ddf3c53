import * as oauth from 'oauth4webapi'

export interface OauthClient {
  readonly tokenUrl: string
  readonly clientId: string
  readonly clientSecret: string
  /** '': none is asked for. */
  readonly scope: string
}

/** A token without a lifetime is asked for again after so long. */
const LIFETIME_S = 300
/** This part of a token's life is used: the rest is for the way, and for clocks that differ. */
const USED_SHARE = 0.8

/** Asks for a token by the client credentials grant (RFC 6749, 4.4); rejects with what the server says, never with the secret. */
async function askForToken(client: OauthClient, timeoutMs: number): Promise<{ value: string; lifetimeMs: number }> {
  const { tokenUrl, clientId, clientSecret, scope } = client
  const server = { issuer: tokenUrl, token_endpoint: tokenUrl }
  const options = { signal: AbortSignal.timeout(timeoutMs), [oauth.allowInsecureRequests]: tokenUrl.startsWith('http:') }
  const authentication = oauth.ClientSecretBasic(clientSecret)
  const parameters: Record<string, string> = scope === '' ? {} : { scope }
  try {
    const about = { client_id: clientId }
    const response = await oauth.clientCredentialsGrantRequest(server, about, authentication, parameters, options)
    const token = await oauth.processClientCredentialsResponse(server, about, response)
    return { value: token.access_token, lifetimeMs: (token.expires_in ?? LIFETIME_S) * 1000 }
  } catch (error) {
    throw new Error(`the OAuth server at ${tokenUrl} gives no token to client ${JSON.stringify(clientId)}: ${reasonOf(error)}`)
  }
}

function reasonOf(error: unknown): string {
  const {
    error: code,
    error_description: text,
    status,
    cause,
    message,
  } = error as {
    error?: string
    error_description?: string
    status?: number
    cause?: unknown
    message: string
  }
  if (code !== undefined) return `${status} ${code}${text === undefined ? '' : ` (${text})`}`
  const under = cause instanceof Response ? `status ${cause.status}` : cause instanceof Error ? cause.message : ''
  return under === '' ? message : `${message}: ${under}`
}

/** The client's token, asked for when there is none or it is near its end; all who wait share one question. */
export function createTokenSource(client: OauthClient, timeoutMs: number, nowMs: () => number = Date.now): () => Promise<string> {
  let token: { value: string; untilMs: number } | undefined
  let asking: Promise<string> | undefined
  const ask = async (): Promise<string> => {
    const askedMs = nowMs()
    const { value, lifetimeMs } = await askForToken(client, timeoutMs)
    token = { value, untilMs: askedMs + lifetimeMs * USED_SHARE }
    return value
  }
  return async () => {
    if (token !== undefined && nowMs() < token.untilMs) return token.value
    asking ??= ask().finally(() => {
      asking = undefined
    })
    return asking
  }
}
