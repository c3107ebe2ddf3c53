import { createHmac, createPrivateKey, createPublicKey, createSecretKey, type KeyObject, sign } from 'node:crypto'

// Keys of Standard Webhooks (https://www.standardwebhooks.com): `whsec_` and a secret for HMAC-SHA256, which gives signatures `v1,...`;
// `whsk_` and an Ed25519 private key, which gives `v1a,...`. Both in base64.

/** Signs `{id}.{timestamp}.{body}`; answers the signature as webhook-signature has it. */
export type SignContent = (id: string, timestamp: string, body: Buffer) => string

/** The standard's bounds for a secret. */
const SECRET_BYTES_MIN = 24
const SECRET_BYTES_MAX = 64
const SEED_BYTES = 32
/** What stands before the 32 bytes of an Ed25519 private key in PKCS #8, RFC 8410. */
const SEED_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Throws an Error that says what would be right, and repeats nothing of the key. */
export function readSigningKey(text: string): SignContent {
  const [, kind, base64 = ''] = /^(whsec|whsk)_(.*)$/s.exec(text) ?? []
  if (kind === undefined) throw new Error('must begin with whsec_ or whsk_')
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.toString('base64').replace(/=+$/, '') !== base64.replace(/=+$/, '')) throw new Error(`must be base64 after ${kind}_`)
  return kind === 'whsec' ? hmacKey(bytes) : ed25519Key(bytes)
}

function hmacKey(bytes: Buffer): SignContent {
  if (bytes.length < SECRET_BYTES_MIN || bytes.length > SECRET_BYTES_MAX)
    throw new Error(`must have ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} bytes in base64 after whsec_; given ${bytes.length}`)
  const key = createSecretKey(bytes)
  return (id, timestamp, body) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`
}

function ed25519Key(bytes: Buffer): SignContent {
  if (bytes.length !== SEED_BYTES && bytes.length !== 2 * SEED_BYTES)
    throw new Error(`must have ${SEED_BYTES} or ${2 * SEED_BYTES} bytes in base64 after whsk_; given ${bytes.length}`)
  const seed = Buffer.concat([SEED_HEAD, bytes.subarray(0, SEED_BYTES)])
  const key = createPrivateKey({ key: seed, format: 'der', type: 'pkcs8' })
  if (bytes.length > SEED_BYTES && !publicHalf(key).equals(bytes.subarray(SEED_BYTES)))
    throw new Error('must have the public half of the same key in its last 32 bytes')
  return (id, timestamp, body) =>
    `v1a,${sign(null, Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]), key).toString('base64')}`
}

const publicHalf = (key: KeyObject): Buffer => createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-SEED_BYTES)
