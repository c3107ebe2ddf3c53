import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { HttpProxySchema } from '../../proto/gen/ferry/v1/proxy_pb.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { checkProxy } from './check-proxy.ts'

type Given = Exclude<MessageInitShape<typeof HttpProxySchema>, { $typeName: string }>

test.each<[string, Given, string[]]>([
  ['a proxy', { url: 'http://proxy.internal:3128' }, []],
  ['a proxy with credentials', { url: 'https://proxy.internal/', username: 'ferry', password: { value: 'p:w' } }, []],
  ['another scheme', { url: 'socks5://proxy.internal' }, ['proxy.url URL_SCHEME']],
  ['a blocked address', { url: 'http://169.254.169.254:80' }, ['proxy.url URL_BLOCKED']],
  ['a path', { url: 'http://proxy.internal/a?b' }, ['proxy.url URL_INVALID']],
  ['credentials in the URL', { url: 'http://ferry:hunter2@proxy.internal' }, ['proxy.url URL_CREDENTIALS']],
  ['a user alone', { url: 'http://proxy.internal', username: 'ferry' }, ['proxy.password PROXY_INCOMPLETE']],
  ['a password alone', { url: 'http://proxy.internal', password: { value: 'hunter2' } }, ['proxy.username PROXY_INCOMPLETE']],
  [
    'everything at once',
    { url: 'http://10.0.0.1/a', username: 'a:b', password: { value: 'hunter2\n' } },
    ['proxy.url URL_BLOCKED', 'proxy.url URL_INVALID', 'proxy.username HEADER_VALUE', 'proxy.password HEADER_VALUE'],
  ],
])('%s', (_what, given, expected) => {
  const found = checkProxy('proxy', create(HttpProxySchema, given), readEgressRules(''))
  expect(found.map(({ field, reason }) => `${field} ${reason}`)).toEqual(expected)
  expect(JSON.stringify(found)).not.toContain('hunter2')
})
