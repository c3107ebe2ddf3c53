import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { selfSignedCertificate } from './sample-certificate.ts'
import { readSchemaRegistries } from './schema-registries.ts'

const file = (content: string): string => {
  const path = join(mkdtempSync(join(tmpdir(), 'ferry-')), 'file')
  writeFileSync(path, content)
  return path
}
const P = 'FERRY_SCHEMA_REGISTRY_'
const problems = (env: Record<string, string>): string[] => readSchemaRegistries(env).problems

test('without settings there is none', () => {
  expect(readSchemaRegistries({})).toEqual({ registries: [], problems: [] })
})

test('the default one and further ones by their names', () => {
  const env = {
    [`${P}URLS`]: 'https://one.example, https://two.example/path',
    [`${P}USERNAME`]: 'ferry',
    [`${P}PASSWORD_FILE`]: file('word\n'),
    FERRY_SCHEMA_REGISTRIES: 'west-2',
    [`${P}WEST_2_URLS`]: 'http://localhost:8081',
    [`${P}WEST_2_TOKEN`]: 'abc',
    [`${P}WEST_2_TIMEOUT`]: '2s',
    [`${P}WEST_2_SCHEMAS_MAX`]: '7',
  }
  expect(readSchemaRegistries(env)).toEqual({
    problems: [],
    registries: [
      {
        ...{ name: 'default', urls: ['https://one.example', 'https://two.example/path'], timeoutMs: 5000, schemasMax: 1000 },
        ...{ authorization: `Basic ${Buffer.from('ferry:word').toString('base64')}`, ca: undefined },
      },
      {
        ...{ name: 'west-2', urls: ['http://localhost:8081'], timeoutMs: 2000, schemasMax: 7 },
        ...{ authorization: 'Bearer abc', ca: undefined },
      },
    ],
  })
})

test.each([
  ['a URL of another kind', { URLS: 'ftp://a' }, /URLS: must be http or https URLs/],
  ['a query', { URLS: 'http://a?x=1' }, /must have no query/],
  ['a token and a user', { URLS: 'http://a', TOKEN: 'a', USERNAME: 'b', PASSWORD: 'c' }, /TOKEN and .*USERNAME are both given/],
  ['a user without a password', { URLS: 'http://a', USERNAME: 'b' }, /must be given both, or neither/],
  [
    'a password twice',
    { URLS: 'http://a', USERNAME: 'b', PASSWORD: 'c', PASSWORD_FILE: file('c') },
    /PASSWORD and .*PASSWORD_FILE are both given/,
  ],
  ['a token that no header can have', { URLS: 'http://a', TOKEN: 'a b' }, /TOKEN has a space/],
  ['a user with a colon', { URLS: 'http://a', USERNAME: 'a:b', PASSWORD: 'c' }, /has a colon/],
  [
    'a file that is not there',
    { URLS: 'http://a', TOKEN_FILE: '/nowhere' },
    /TOKEN_FILE="\/nowhere": the file cannot be read \(ENOENT\)/,
  ],
  ['a file without a certificate', { URLS: 'http://a', TLS_CA_FILE: file('x') }, /TLS_CA_FILE: the file has no certificate/],
  ['a user and no URL', { TOKEN: 'a' }, /URLS is not set, and other settings of that registry are/],
  ['a registry that nobody named', { WEST_URLS: 'http://a' }, /WEST_URLS is set, and FERRY_SCHEMA_REGISTRIES names no registry/],
])('names what is wrong: %s', (_what, given, problem) => {
  const env = Object.fromEntries(Object.entries(given).map(([name, value]) => [P + name, value]))
  expect(problems(env)).toEqual([expect.stringMatching(problem)])
})

test('names what is wrong with names', () => {
  expect(problems({ FERRY_SCHEMA_REGISTRIES: 'west' })).toEqual([
    expect.stringContaining('FERRY_SCHEMA_REGISTRY_WEST_URLS is not set'),
  ])
  expect(problems({ FERRY_SCHEMA_REGISTRIES: 'default' })[0]).toContain('none of them default')
  const twice = { FERRY_SCHEMA_REGISTRIES: 'a,a', [`${P}A_URLS`]: 'http://a' }
  expect(problems(twice)[0]).toContain('must name each schema registry once')
})

test('never prints a password that is in a URL', () => {
  const text = problems({ [`${P}URLS`]: 'http://user:word@host' }).join()
  expect(text).toContain('must have no user or password')
  expect(text).not.toContain('word@')
})

test('takes a CA certificate', () => {
  const { cert } = selfSignedCertificate('localhost', Date.now() + 86_400_000)
  expect(readSchemaRegistries({ [`${P}URLS`]: 'https://a', [`${P}TLS_CA_FILE`]: file(cert) }).registries[0]!.ca).toBe(cert)
})
