import * as oauth from 'oauth4webapi'
import { buildConnector, Client } from 'undici'

// OAuth 2 client credentials (RFC 6749, 4.4), for endpoints and for Kafka.

export interface OauthClient {
  /** An http or https URL. */
  readonly tokenUrl: string
  readonly clientId: string
  readonly clientSecret: string
  /** Scopes with spaces between; '' asks for none. */
  readonly scope: string
  /** More of the form. */
  readonly parameters?: Readonly<Record<string, string>>
  /** The credentials go into the form, and not into the authorization header. */
  readonly isInForm?: boolean
}

export interface Token {
  /** For the authorization header. */
  readonly value: string
  readonly lifetimeMs: number
}

const ANSWER_BYTES_MAX = 64 * 1024
/** A server may leave expires_in out. */
const LIFETIME_MS = 300_000
const LIFETIME_MS_MAX = 30 * 86_400_000

/**
 * A function that asks for a token. It does not take longer than its timeout, follows no redirect, and opens connections by `connect`. What it
 * throws says what went wrong, and has nothing of the credentials.
 */
export function tokenFetcher(
  { tokenUrl, clientId, clientSecret, scope, parameters = {}, isInForm = false }: OauthClient,
  timeoutMs: number,
  connect: buildConnector.connector = buildConnector({ timeout: timeoutMs }),
): () => Promise<Token> {
  const { origin } = new URL(tokenUrl)
  const server = { issuer: tokenUrl, token_endpoint: tokenUrl }
  const client = { client_id: clientId }
  const proof = isInForm ? oauth.ClientSecretPost(clientSecret) : oauth.ClientSecretBasic(clientSecret)
  const form = { ...parameters, ...(scope !== '' && { scope }) }
  const options = {
    [oauth.allowInsecureRequests]: tokenUrl.startsWith('http:'),
    [oauth.customFetch]: (url: string, request: FetchOptions) => ask(new URL(url), request, connect, timeoutMs),
  }
  return async () => {
    let response: Response | undefined
    try {
      response = await oauth.clientCredentialsGrantRequest(server, client, proof, form, options)
      const answer = await oauth.processClientCredentialsResponse(server, client, response)
      if (!/^[\x21-\x7e]{1,16000}$/.test(answer.access_token)) throw new Error('no header can hold it')
      const lifetimeMs = answer.expires_in ? Math.min(answer.expires_in * 1000, LIFETIME_MS_MAX) : LIFETIME_MS
      return { value: answer.access_token, lifetimeMs }
    } catch (error) {
      throw new Error(`${origin} ${reasonOf(error, response?.status, timeoutMs)}`)
    }
  }
}

interface FetchOptions {
  readonly body: URLSearchParams
  readonly headers: Record<string, string>
}

/** Of the answer only status and body: a challenge in its headers would hide the error code in the body. */
async function ask(
  { origin, pathname, search }: URL,
  { headers, body }: FetchOptions,
  connect: buildConnector.connector,
  timeoutMs: number,
): Promise<Response> {
  const client = new Client(origin, { connect, maxResponseSize: ANSWER_BYTES_MAX })
  try {
    const request = { path: pathname + search, method: 'POST', headers, body: body.toString() } as const
    const answer = await client.request({ ...request, signal: AbortSignal.timeout(timeoutMs) })
    const text = await answer.body.text()
    const { statusCode: status } = answer
    return new Response(text === '' ? null : text, { status, headers: { 'content-type': 'application/json' } })
  } finally {
    void client.destroy().catch(() => {})
  }
}

/** Errors of the library may have the answer, and so the token, in them: of those only the kind is said. */
function reasonOf(error: unknown, status: number | undefined, timeoutMs: number): string {
  if (status === undefined) return unansweredReason(error, timeoutMs)
  // What stands there is the server's to choose; it must not be able to have a secret repeated.
  const code = error instanceof oauth.ResponseBodyError && /^[a-z_]{1,60}$/.test(error.error) ? ` (${error.error})` : ''
  if (status !== 200) return `answered ${status}${code}`
  if (error instanceof oauth.UnsupportedOperationError) return 'answered with a token that is no bearer token'
  return 'answered without a usable access_token and its token_type'
}

function unansweredReason(error: unknown, timeoutMs: number): string {
  const { name, code, message } = error as { name?: string; code?: string; message?: string }
  if (name === 'TimeoutError') return `did not answer within ${timeoutMs} ms`
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return `answered more than ${ANSWER_BYTES_MAX} bytes`
  // Several addresses of a host: their errors say more than the one about all.
  const [first] = error instanceof AggregateError ? error.errors : []
  return `cannot be asked: ${first instanceof Error ? first.message : (message ?? String(error))}`
}
