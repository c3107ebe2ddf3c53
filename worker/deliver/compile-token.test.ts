import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { create } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { ClientAuthentication, OAuth2ClientCredentialsSchema } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { compileTokenFetcher } from './compile-token.ts'

test('a token server is asked as the use case says, and only where the rules allow', async () => {
  const forms: Record<string, string>[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    forms.push(Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString())))
    response.end('{"access_token":"tok","token_type":"Bearer","expires_in":60}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const given = create(OAuth2ClientCredentialsSchema, {
    ...{ tokenUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`, clientId: 'ferry' },
    ...{ clientSecret: { value: 'secret' }, scopes: ['a', 'b'], parameters: { audience: 'orders' } },
    ...{ tokenTimeout: durationFromMs(2000), clientAuthentication: ClientAuthentication.FORM },
  })
  const fetcher = (allow: string) => compileTokenFetcher('oauth2', given, readEgressRules(allow))
  await expect(fetcher('')()).rejects.toThrow(/cannot be asked: .*loopback.*FERRY_EGRESS_ALLOW/)
  expect(forms).toEqual([])
  expect(await fetcher('loopback')()).toEqual({ value: 'tok', lifetimeMs: 60_000 })
  expect(forms).toEqual([
    { grant_type: 'client_credentials', scope: 'a b', audience: 'orders', client_id: 'ferry', client_secret: 'secret' },
  ])
  server.close()
  server.closeAllConnections()
})
