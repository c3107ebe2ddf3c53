import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { AuthSchema } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { checkAuth } from './check-auth.ts'

type Scheme = NonNullable<MessageInitShape<typeof AuthSchema>['scheme']>

const problems = (scheme: Scheme, headers: readonly string[] = []): string[] =>
  checkAuth('auth', create(AuthSchema, { scheme }), headers, readEgressRules('')).map(({ field, reason }) => `${field} ${reason}`)

const value = (text: string): { value: string } => ({ value: text })
const oauth2 = { tokenUrl: 'https://id.example/token', clientId: 'ferry', clientSecret: value('s') }

test.each<[string, Scheme]>([
  ['no auth', { case: 'none', value: {} }],
  ['a token', { case: 'bearer', value: { token: value('a.b-c~d+/=') } }],
  ['an empty user name', { case: 'basic', value: { username: '', password: value('p:q ü') } }],
  ['API keys', { case: 'apiKey', value: { headers: { 'x-api-key': value('a b'), 'x-client': value('c') } } }],
  ['OAuth 2', { case: 'oauth2', value: { ...oauth2, parameters: { audience: 'orders' } } }],
])('%s is right', (_what, scheme) => {
  expect(problems(scheme)).toEqual([])
})

test.each<[string, Scheme, string[]]>([
  ['a token with a space', { case: 'bearer', value: { token: value('a b') } }, ['auth.bearer.token HEADER_VALUE']],
  [
    'basic with a colon and a line end',
    { case: 'basic', value: { username: 'a:b', password: value('a\nb') } },
    ['auth.basic.username HEADER_VALUE', 'auth.basic.password HEADER_VALUE'],
  ],
  [
    'API keys in headers of others',
    { case: 'apiKey', value: { headers: { host: value('a'), 'ferry-x': value('b'), 'x key': value('c\n') } } },
    [
      'auth.api_key.headers["host"] HEADER_RESERVED',
      'auth.api_key.headers["ferry-x"] HEADER_RESERVED',
      'auth.api_key.headers["x key"] HEADER_NAME',
      'auth.api_key.headers["x key"] HEADER_VALUE',
    ],
  ],
  [
    'OAuth 2 at a metadata address, with parameters of its own',
    { case: 'oauth2', value: { ...oauth2, tokenUrl: 'http://169.254.169.254/token', parameters: { scope: 'a' } } },
    ['auth.oauth2.token_url URL_BLOCKED', 'auth.oauth2.parameters["scope"] PARAMETER_RESERVED'],
  ],
])('%s is said, and nothing of a secret with it', (_what, scheme, expected) => {
  expect(problems(scheme)).toEqual(expected)
})

test('a header that the use case sets as well is one too many', () => {
  expect(problems({ case: 'apiKey', value: { headers: { 'X-Team': value('a') } } }, ['x-team'])).toEqual([
    'auth.api_key.headers["X-Team"] HEADER_DUPLICATE',
  ])
})
