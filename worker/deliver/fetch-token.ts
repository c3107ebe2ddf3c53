import { Client } from 'undici'
import { ClientAuthentication, type OAuth2ClientCredentials } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import type { EgressRules } from '../../runtime/egress-rules.ts'
import { classifyError } from './classify.ts'
import { guardedConnector } from './egress-guard.ts'
import { choice, durationMs, part } from './plan-values.ts'
import type { Token } from './token-source.ts'

const ANSWER_BYTES_MAX = 64 * 1024
/** RFC 6749 lets a server leave expires_in out. */
const LIFETIME_MS = 300_000
const LIFETIME_MS_MAX = 30 * 86_400_000

const isInForm = {
  [ClientAuthentication.UNSPECIFIED]: false,
  [ClientAuthentication.BASIC]: false,
  [ClientAuthentication.FORM]: true,
} as const

/**
 * A function that asks a token endpoint for a token: RFC 6749, 4.4. It does not take longer than its timeout, follows no redirect, and
 * connects only to where the rules allow. What it throws says what went wrong, and has nothing of the credentials.
 */
export function tokenFetcher(field: string, given: OAuth2ClientCredentials, egress: EgressRules): () => Promise<Token> {
  const { tokenUrl, clientId, scopes, parameters, clientAuthentication } = part(field, given)
  const secret = part(`${field}.client_secret`, given.clientSecret).value
  const timeoutMs = durationMs(`${field}.token_timeout`, given.tokenTimeout, 10_000, 1)
  const inForm = choice(`${field}.client_authentication`, isInForm, clientAuthentication)
  const form = new URLSearchParams({ grant_type: 'client_credentials', ...parameters })
  if (scopes.length > 0) form.set('scope', scopes.join(' '))
  const headers: Record<string, string> = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' }
  if (inForm) {
    form.set('client_id', clientId)
    form.set('client_secret', secret)
  } else headers['authorization'] = `Basic ${Buffer.from(`${formText(clientId)}:${formText(secret)}`).toString('base64')}`
  const { origin, pathname, search } = new URL(tokenUrl)
  const connect = guardedConnector(egress, { timeout: timeoutMs })
  return () => ask(origin, { path: pathname + search, headers, body: form.toString() }, connect, timeoutMs)
}

/** RFC 6749, 2.3.1: both are encoded as in a form before they are joined. */
const formText = (text: string): string => new URLSearchParams({ a: text }).toString().slice(2)

async function ask(
  origin: string,
  request: { readonly path: string; readonly headers: Record<string, string>; readonly body: string },
  connect: ReturnType<typeof guardedConnector>,
  timeoutMs: number,
): Promise<Token> {
  const client = new Client(origin, { connect })
  try {
    const answer = await client.request({ ...request, method: 'POST', signal: AbortSignal.timeout(timeoutMs) })
    return readToken(origin, answer.statusCode, await readBody(answer.body))
  } catch (error) {
    if (error instanceof TokenError) throw error
    const isLate = error instanceof Error && error.name === 'TimeoutError'
    throw new TokenError(
      `${origin} ${isLate ? `did not answer within ${timeoutMs} ms` : `cannot be asked: ${classifyError(error).text}`}`,
    )
  } finally {
    void client.destroy().catch(() => {})
  }
}

class TokenError extends Error {}

async function readBody(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`its answer has more than ${ANSWER_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function readToken(origin: string, status: number, text: string): Token {
  const answer = readObject(text)
  if (status !== 200) {
    const code = answer?.['error']
    const word = typeof code === 'string' && /^[a-z_]{1,60}$/.test(code) ? ` (${code})` : ''
    throw new TokenError(`${origin} answered ${status}${word}`)
  }
  const value = answer?.['access_token']
  if (typeof value !== 'string' || !/^[\x21-\x7e]{1,16000}$/.test(value))
    throw new TokenError(`${origin} answered without a usable access_token`)
  const type = answer?.['token_type']
  if (type !== undefined && String(type).toLowerCase() !== 'bearer')
    throw new TokenError(`${origin} answered with a token that is no bearer token`)
  const seconds = Number(answer?.['expires_in'] ?? LIFETIME_MS / 1000)
  return { value, lifetimeMs: seconds > 0 ? Math.min(seconds * 1000, LIFETIME_MS_MAX) : LIFETIME_MS }
}

function readObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
