import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { TlsSchema } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import { sampleCertificate, selfSignedCertificate } from '../../runtime/sample-certificate.ts'
import { checkTls } from './check-tls.ts'

const nowMs = Date.UTC(2026, 5, 1)
const hourMs = 3_600_000
const ca = selfSignedCertificate('ca', nowMs + hourMs)
const oldCa = selfSignedCertificate('ca', nowMs - hourMs)
const client = sampleCertificate('client', nowMs + hourMs, ca)
const other = selfSignedCertificate('other', nowMs + hourMs)

type Given = Exclude<MessageInitShape<typeof TlsSchema>, { $typeName: string }>
const check = (tls: Given, url = 'https://orders.example/') => checkTls('tls', create(TlsSchema, tls), url, nowMs)
const problems = (tls: Given, url?: string): string[] => check(tls, url).map(({ field, reason }) => `${field} ${reason}`)
const key = (value: string): Given => ({ clientKey: { value } })

test.each<[string, Given]>([
  ['a CA', { caCertificates: ca.cert }],
  ['a bundle in which one has expired, with remarks', { caCertificates: `# old\n${oldCa.cert}\n# new\n${ca.cert}` }],
  ['a client certificate with its key', { clientCertificate: client.cert, ...key(client.key) }],
  ['a chain', { clientCertificate: client.cert + ca.cert, ...key(client.key) }],
  ['a key that cannot be opened here', { clientCertificate: client.cert, clientKey: { ref: 's-1' } }],
  ['a name', { serverName: 'inner.example' }],
])('%s is right', (_what, tls) => {
  expect(problems(tls)).toEqual([])
})

const encrypted = createPrivateKey(client.key).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
const weak = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' })

test.each<[string, Given, string[], RegExp]>([
  ['no PEM', { caCertificates: 'hello' }, ['tls.ca_certificates TLS_CERTIFICATE'], /it has none/],
  ['a broken one', { caCertificates: ca.cert.replace(/MII?/, 'AAA') }, ['tls.ca_certificates TLS_CERTIFICATE'], /number 1/],
  ['a key in place of a CA', { caCertificates: ca.cert + ca.key }, ['tls.ca_certificates TLS_CERTIFICATE'], /something else/],
  ['a CA that has expired', { caCertificates: oldCa.cert }, ['tls.ca_certificates TLS_VALIDITY'], /expired at 2026-05-31T23:00/],
  [
    'a client certificate that is not valid yet',
    { clientCertificate: selfSignedCertificate('c', nowMs + 48 * hourMs).cert, clientKey: { ref: 's-1' } },
    ['tls.client_certificate TLS_VALIDITY'],
    /not valid before 2026-06-02/,
  ],
  ['a certificate alone', { clientCertificate: client.cert }, ['tls.client_key TLS_INCOMPLETE'], /with client_certificate/],
  ['a key alone', key(client.key), ['tls.client_certificate TLS_INCOMPLETE'], /with client_key/],
  ['the key of another', { clientCertificate: client.cert, ...key(other.key) }, ['tls.client_key TLS_KEY'], /key of another/],
  ['an encrypted key', { clientCertificate: client.cert, ...key(String(encrypted)) }, ['tls.client_key TLS_KEY'], /is encrypted/],
  [
    'a key of another kind',
    { clientCertificate: client.cert, ...key(String(weak)) },
    ['tls.client_key TLS_KEY'],
    /key of another/,
  ],
  ['no key', { clientCertificate: client.cert, ...key('hunter2') }, ['tls.client_key TLS_KEY'], /as PEM, not encrypted$/],
  [
    'everything at once',
    { caCertificates: 'hello', clientCertificate: oldCa.cert, ...key(other.key) },
    ['tls.ca_certificates TLS_CERTIFICATE', 'tls.client_certificate TLS_VALIDITY', 'tls.client_key TLS_KEY'],
    /./,
  ],
])('%s is said, and nothing of a key with it', (_what, tls, expected, words) => {
  const found = check(tls)
  expect(found.map(({ field, reason }) => `${field} ${reason}`)).toEqual(expected)
  expect(found[0]!.description).toMatch(words)
  const secret = tls.clientKey?.value
  if (secret) expect(JSON.stringify(found)).not.toContain(secret.split('\n')[1] ?? secret)
})

test('it is of no use without https', () => {
  expect(problems({ serverName: 'a' }, 'http://orders.example/')).toEqual(['tls TLS_UNUSED'])
})
