import { mkdtempSync, readFileSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { Role } from '../../proto/gen/ferry/v1/access_pb.ts'
import {
  type CreateTokenRequest,
  type RevokeTokenRequest,
  TokenSchema,
  TokenService,
} from '../../proto/gen/ferry/v1/token_service_pb.ts'
import { TestServer } from '../test-server.ts'

const secret = `ferry_${'x'.repeat(43)}`

async function serve(): Promise<TestServer & { readonly made: CreateTokenRequest[]; readonly revoked: RevokeTokenRequest[] }> {
  const made: CreateTokenRequest[] = []
  const revoked: RevokeTokenRequest[] = []
  const server = await TestServer.start((router) => {
    router.service(TokenService, {
      createToken(request) {
        made.push(request)
        return { token: create(TokenSchema, { ...request.token!, name: `tokens/${request.tokenId}` } as never), secret }
      },
      listTokens: () => ({
        tokens: [{ name: 'tokens/a', role: Role.EDITOR, namespaces: ['shop'], description: 'pipeline\u001b[2J' }],
      }),
      revokeToken(request) {
        revoked.push(request)
        return { token: { name: request.name } }
      },
    })
  })
  return Object.assign(server, { made, revoked })
}

test('a token is made with its role, namespaces and end; its secret alone is on standard output', async () => {
  await using server = await serve()
  const done = await server.ferry(
    'tokens create shop-ci --role editor --namespaces shop,crm --expires 90d --description pipeline',
  )
  expect(done).toMatchObject({ exitCode: 0, printed: `${secret}\n`, said: expect.stringContaining('shown this once') })
  expect(server.made[0]).toMatchObject({
    tokenId: 'shop-ci',
    token: { role: Role.EDITOR, namespaces: ['shop', 'crm'], description: 'pipeline' },
  })
  expect(Number(server.made[0]!.token!.expireTime!.seconds)).toBeGreaterThan(Date.now() / 1000 + 89 * 86_400)
})

test('a secret may go to a file that only its owner reads, is shown nowhere then, and replaces no file', async () => {
  await using server = await serve()
  const file = join(mkdtempSync(join(tmpdir(), 'ferry-cli-')), 'secret')
  const line = `tokens create a --role viewer --namespaces * --secret-file ${file} -o json`
  const done = await server.ferry(line)
  expect(done.printed + done.said).not.toContain(secret)
  expect([readFileSync(file, 'utf8'), statSync(file).mode & 0o777]).toEqual([`${secret}\n`, 0o600])
  expect(await server.ferry(line)).toMatchObject({ exitCode: 1, said: expect.stringContaining('ferry tokens revoke a') })
})

test('tokens are listed without control characters, and revoked after a question', async () => {
  await using server = await serve()
  expect((await server.ferry('tokens')).printed).toMatch(/^TOKEN .*\na {6}EDITOR {2}shop .*pipeline\\x1b\[2J\n$/)
  expect((await server.ferry('tokens revoke a --reason lost')).exitCode).toBe(2)
  expect((await server.ferry('tokens revoke a --reason lost --yes')).printed).toBe('tokens/a is revoked\n')
  expect(server.revoked).toMatchObject([{ name: 'tokens/a', reason: 'lost' }])
  expect(await server.ferry('tokens create a --role king --namespaces shop')).toMatchObject({ exitCode: 2 })
})
