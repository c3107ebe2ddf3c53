import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { create } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { ClientAuthentication, OAuth2ClientCredentialsSchema } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { tokenFetcher } from './fetch-token.ts'

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

const fetcher = (origin: string, over: object = {}, allow = 'loopback') =>
  tokenFetcher(
    'spec.destination.auth.oauth2',
    create(OAuth2ClientCredentialsSchema, {
      ...{ tokenUrl: `${origin}/token?tenant=blue`, clientId: 'ferry', clientSecret: { value: secret }, scopes: ['a', 'b'] },
      ...{ tokenTimeout: durationFromMs(300), parameters: { audience: 'orders' }, ...over },
    }),
    readEgressRules(allow),
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
  await fetcher(server.origin, { clientAuthentication: ClientAuthentication.FORM })()
  expect(server.asked[0]!.headers.authorization).toBeUndefined()
  expect(server.asked[0]!.form).toMatchObject({ client_id: 'ferry', client_secret: secret })
})

test.each<[string, Parameters<typeof serve>[0], RegExp]>([
  ['a refusal', { status: 401, body: '{"error":"invalid_client"}' }, /answered 401 \(invalid_client\)$/],
  ['a refusal that repeats the secret', { status: 400, body: `{"error":"${secret}"}` }, /answered 400$/],
  ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }, /answered 302$/],
  ['no token', { body: '{}' }, /without a usable access_token$/],
  ['a token for something else', { body: '{"access_token":"a","token_type":"mac"}' }, /no bearer token$/],
  ['a token that is no header', { body: '{"access_token":"a\\r\\nb"}' }, /without a usable access_token$/],
  ['no JSON', { body: '<html>' }, /without a usable access_token$/],
  ['too much', { body: 'x'.repeat(70_000) }, /more than 65536 bytes/],
  ['nothing', { hangs: true }, /did not answer within 300 ms$/],
])('%s is an error that says so, and has nothing secret', async (_what, answer, message) => {
  await using server = await serve(answer)
  const error = await fetcher(server.origin)().catch((thrown: unknown) => thrown)
  expect((error as Error).message).toMatch(message)
  expect((error as Error).message).not.toContain(secret)
})

test('an address that may not be dialled is not dialled', async () => {
  await using server = await serve({ body: good })
  await expect(fetcher(server.origin, {}, '')()).rejects.toThrow(/loopback.*FERRY_EGRESS_ALLOW/)
  expect(server.asked).toEqual([])
})
