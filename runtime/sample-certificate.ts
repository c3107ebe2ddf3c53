import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

// For tests of TLS: Node makes keys and no certificates, and a key in the repository would look like a leaked one.

/** PEM. */
export interface SampleCertificate {
  readonly host: string
  readonly key: string
  readonly cert: string
}

/** A key and a certificate for `host` that it signed itself, valid for a day before `untilMs`. */
export const selfSignedCertificate = (host: string, untilMs: number): SampleCertificate => sampleCertificate(host, untilMs)

/** The same, signed by another: a certificate that signed itself may do that, too. */
export function sampleCertificate(host: string, untilMs: number, issuer?: SampleCertificate): SampleCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const algorithm = sequence(tagged(0x06, Buffer.from('2a8648ce3d040302', 'hex'))) // ecdsa-with-SHA256
  const validity = sequence(utcTime(untilMs - 86_400_000), utcTime(untilMs))
  const serial = tagged(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)]))
  const content = sequence(serial, algorithm, nameOf(issuer?.host ?? host), validity, nameOf(host), publicKey)
  const signer = createPrivateKey(issuer?.key ?? privateKey)
  const signature = tagged(0x03, Buffer.concat([Buffer.from([0]), sign('sha256', content, signer)]))
  const lines = sequence(content, algorithm, signature)
    .toString('base64')
    .match(/.{1,64}/g)!
  return { host, key: privateKey, cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n` }
}

/** The host is its common name. */
const nameOf = (host: string): Buffer =>
  sequence(tagged(0x31, sequence(tagged(0x06, Buffer.from('550403', 'hex')), tagged(0x0c, Buffer.from(host)))))

/** ASN.1 DER: tag, length, content. */
function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content
  const head = length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from(head), content])
}

const sequence = (...parts: Buffer[]): Buffer => tagged(0x30, Buffer.concat(parts))

const utcTime = (ms: number): Buffer =>
  tagged(0x17, Buffer.from(`${new Date(ms).toISOString().replace(/\D/g, '').slice(2, 14)}Z`))
