import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { type OauthClient, tokenFetcher } from './fetch-token.ts'
import { shareToken } from './share-token.ts'

interface Asked {
  readonly headers: IncomingHttpHeaders
  readonly form: Record<string, string>
  readonly url: string
}

/** A token endpoint on loopback that gives one answer to all. */
async function serve(answer: { status?: number; body?: string; headers?: Record<string, string>; hangs?: boolean }) {
  const asked: Asked[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const form = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()))
    asked.push({ headers: request.headers, form, url: request.url ?? '' })
    if (!answer.hangs) response.writeHead(answer.status ?? 200, answer.headers).end(answer.body ?? '')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    ...{ origin, asked },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const secret = 'top/secret:1'

const fetcher = (origin: string, over: Partial<OauthClient> = {}) =>
  tokenFetcher(
    {
      ...{ tokenUrl: `${origin}/token?tenant=blue`, clientId: 'ferry', clientSecret: secret, scope: 'a b' },
      ...{ parameters: { audience: 'orders' }, ...over },
    },
    300,
  )

const good = JSON.stringify({ access_token: 'tok', token_type: 'Bearer', expires_in: 120 })

test('asks by the standard, with the credentials in the header, and reads the lifetime', async () => {
  await using server = await serve({ body: good })
  expect(await fetcher(server.origin)()).toEqual({ value: 'tok', lifetimeMs: 120_000 })
  const [{ headers, form, url }] = server.asked as [Asked]
  expect(url).toBe('/token?tenant=blue')
  expect(form).toEqual({ grant_type: 'client_credentials', scope: 'a b', audience: 'orders' })
  expect(Buffer.from(headers.authorization!.slice(6), 'base64').toString()).toBe('ferry:top%2Fsecret%3A1')
})

test('or with the credentials in the form', async () => {
  await using server = await serve({ body: good })
  await fetcher(server.origin, { isInForm: true })()
  expect(server.asked[0]!.headers.authorization).toBeUndefined()
  expect(server.asked[0]!.form).toMatchObject({ client_id: 'ferry', client_secret: secret })
})

test.each<[string, Parameters<typeof serve>[0], RegExp]>([
  ['a refusal', { status: 401, body: '{"error":"invalid_client"}' }, /answered 401 \(invalid_client\)$/],
  [
    'a refusal with a challenge',
    { status: 401, body: '{"error":"invalid_client"}', headers: { 'www-authenticate': 'Basic realm="x"' } },
    /answered 401 \(invalid_client\)$/,
  ],
  ['an outage', { status: 503 }, /answered 503$/],
  ['an empty answer', { status: 204 }, /answered 204$/],
  ['a refusal that repeats the secret', { status: 400, body: `{"error":"${secret}"}` }, /answered 400$/],
  ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }, /answered 302$/],
  ['no token', { body: '{}' }, /without a usable access_token and its token_type$/],
  ['a token for something else', { body: '{"access_token":"a","token_type":"mac"}' }, /no bearer token$/],
  [
    'a token that is no header',
    { body: '{"access_token":"a\\r\\nb","token_type":"bearer"}' },
    /without a usable access_token and its token_type$/,
  ],
  ['no JSON', { body: '<html>' }, /without a usable access_token and its token_type$/],
  ['too much', { body: 'x'.repeat(70_000) }, /answered more than 65536 bytes$/],
  ['nothing', { hangs: true }, /did not answer within 300 ms$/],
])('%s is an error that says so, and has nothing secret', async (_what, answer, message) => {
  await using server = await serve(answer)
  const error = await fetcher(server.origin)().catch((thrown: unknown) => thrown)
  expect((error as Error).message).toMatch(message)
  expect((error as Error).message).not.toContain(secret)
})

test('what cannot be asked is said with its reason', async () => {
  await expect(fetcher('http://127.0.0.1:1')()).rejects.toThrow(/^http:\/\/127\.0\.0\.1:1 cannot be asked: .*ECONNREFUSED/)
})

test('a token without a lifetime, and one that would live for years, are asked for again in time', async () => {
  await using none = await serve({ body: '{"access_token":"a","token_type":"bearer"}' })
  expect((await fetcher(none.origin)()).lifetimeMs).toBe(300_000)
  await using long = await serve({ body: '{"access_token":"a","token_type":"bearer","expires_in":"1e12"}' })
  expect((await fetcher(long.origin)()).lifetimeMs).toBe(30 * 86_400_000)
})

test('Kafka shares a token among all who wait, and asks again when most of its life is over, or when there was none', async () => {
  const answer = { status: 503, body: good }
  await using server = await serve(answer)
  let nowMs = 0
  const token = shareToken(fetcher(server.origin, { parameters: {}, scope: '' }), () => nowMs)
  await expect(Promise.all([token(), token()])).rejects.toThrow(/^the OAuth server at http.* answered 503$/)
  expect(server.asked).toHaveLength(1)
  answer.status = 200
  expect(await Promise.all([token(), token(), token()])).toEqual(['tok', 'tok', 'tok'])
  expect(server.asked).toHaveLength(2)
  nowMs = 95_000
  await token()
  expect(server.asked).toHaveLength(2)
  nowMs = 97_000
  await token()
  expect(server.asked).toHaveLength(3)
  expect(server.asked[2]!.form).toEqual({ grant_type: 'client_credentials' })
})
