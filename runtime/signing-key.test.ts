import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { expect, test } from 'vitest'
import { readSigningKey } from './signing-key.ts'

test('a secret signs as the standard says: its own example', () => {
  const sign = readSigningKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')
  expect(sign('msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', Buffer.from('{"test": 2432232314}'))).toBe(
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  )
})

function ed25519() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
  const half = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  return { publicKey: createPublicKey(publicKey.export({ format: 'pem', type: 'spki' })), seed, half }
}

test('an Ed25519 key signs, given with its public half or without', () => {
  const { publicKey, seed, half } = ed25519()
  for (const bytes of [seed, Buffer.concat([seed, half])]) {
    const [version, signature] = readSigningKey(`whsk_${bytes.toString('base64')}`)('msg_1', '7', Buffer.from('{}')).split(',')
    expect(version).toBe('v1a')
    expect(verify(null, Buffer.from('msg_1.7.{}'), publicKey, Buffer.from(signature!, 'base64'))).toBe(true)
  }
})

const bytes = (count: number): string => Buffer.alloc(count, 7).toString('base64')
const one = ed25519()
const other = ed25519()

test.each([
  ['', /whsec_ or whsk_/],
  ['secret', /whsec_ or whsk_/],
  [`whpk_${bytes(32)}`, /whsec_ or whsk_/],
  ['whsec_not base64!', /base64 after whsec_/],
  [`whsec_${bytes(23)}`, /24 to 64 bytes.*given 23/],
  [`whsec_${bytes(65)}`, /24 to 64 bytes.*given 65/],
  [`whsk_${bytes(33)}`, /32 or 64 bytes.*given 33/],
  [`whsk_${Buffer.concat([one.seed, other.half]).toString('base64')}`, /public half/],
])('%j is no key, and nothing of it is repeated', (text, message) => {
  let said = ''
  try {
    readSigningKey(text)
  } catch (error) {
    said = (error as Error).message
  }
  expect(said).toMatch(message)
  if (text.length > 10) expect(said).not.toContain(text.slice(6, 20))
})

test('paddings may be left out, as some tools do', () => {
  const sign = readSigningKey(`whsec_${bytes(32).replace('=', '')}`)
  expect(sign('a', '1', Buffer.from('b'))).toBe(readSigningKey(`whsec_${bytes(32)}`)('a', '1', Buffer.from('b')))
})
