import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

// Secrets as they are kept: AES-256-GCM, a fresh nonce each, under the first of the keys; every key of the list opens. A sealed text
// is `{reference}.{key id}.{nonce}.{ciphertext and tag}`, the last two in base64url. The reference, the key id and the owner are
// authenticated with it, so that what was sealed for one use case opens for no other.

/** KEY_MISSING: no key of this id in the list. KEY_WRONG: the key of this id is another, or the text was changed. NO_KEYS: the list is empty. */
export type SecretErrorCode = 'KEY_MISSING' | 'KEY_WRONG' | 'NO_KEYS'

export class SecretError extends Error {
  override readonly name = 'SecretError'
  readonly code: SecretErrorCode

  constructor(code: SecretErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

interface Key {
  readonly id: string
  readonly sealing: Buffer
  readonly naming: Buffer
}

const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const setting = 'FERRY_SECRET_KEYS'

/** What answers show of a sealed text, and what gives it back. */
export const referenceOf = (sealed: string): string => sealed.split('.', 1)[0]!

/** The id of the key that a text was sealed with. */
export const keyIdOf = (sealed: string): string => sealed.split('.', 2)[1] ?? ''

/** The keys of FERRY_SECRET_KEYS: the first seals, each opens. */
export class SecretKeys {
  readonly #keys: readonly Key[]

  constructor(keys: readonly { readonly id: string; readonly bytes: Uint8Array }[]) {
    this.#keys = keys.map(({ id, bytes }) => ({ id, sealing: derive(bytes, 'seal'), naming: derive(bytes, 'fingerprint') }))
  }

  /** Id of the key that seals; undefined when there is none. */
  get firstId(): string | undefined {
    return this.#keys[0]?.id
  }

  /** Throws SecretError NO_KEYS. */
  seal(secret: string, owner: string): string {
    const { id, sealing } = this.#first()
    const head = `s-${randomBytes(10).toString('hex')}.${id}`
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', sealing, nonce).setAAD(Buffer.from(`${head}|${owner}`))
    const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()])
    return `${head}.${nonce.toString('base64url')}.${sealed.toString('base64url')}`
  }

  /** Throws SecretError. */
  open(sealed: string, owner: string): string {
    const [reference, id, nonce = '', text = ''] = sealed.split('.')
    const key = this.#keys.find((each) => each.id === id)
    if (key === undefined) {
      const has =
        this.#keys.length === 0 ? `${setting} is empty` : `${setting} has ${this.#keys.map((each) => each.id).join(', ')}`
      throw new SecretError('KEY_MISSING', `secret ${reference} is sealed with key ${id}, and ${has}: add that key to the list`)
    }
    try {
      const bytes = Buffer.from(text, 'base64url')
      const decipher = createDecipheriv('aes-256-gcm', key.sealing, Buffer.from(nonce, 'base64url'), { authTagLength: TAG_BYTES })
      decipher.setAAD(Buffer.from(`${reference}.${id}|${owner}`)).setAuthTag(bytes.subarray(-TAG_BYTES))
      return Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()]).toString()
    } catch {
      throw new SecretError(
        'KEY_WRONG',
        `secret ${reference} does not open with key ${id} of ${setting}: it was sealed with another key of this id`,
      )
    }
  }

  /** The same for the same secret and first key, and of no use to guess it without the key. Throws SecretError NO_KEYS. */
  fingerprint(secret: string): string {
    return createHmac('sha256', this.#first().naming).update(secret).digest('hex').slice(0, 16)
  }

  #first(): Key {
    const key = this.#keys[0]
    if (key === undefined) throw new SecretError('NO_KEYS', `${setting} is empty: secrets cannot be kept`)
    return key
  }
}

const derive = (bytes: Uint8Array, purpose: string): Buffer =>
  Buffer.from(hkdfSync('sha256', bytes, '', `ferry secrets: ${purpose}`, KEY_BYTES))

/** Reads `id:base64,id:base64`. Throws an Error that says what would be right, and repeats nothing of a key. */
export function readSecretKeys(text: string): SecretKeys {
  const entries = text === '' ? [] : text.split(',').map((each) => each.trim().split(':') as [string, string?, string?])
  const keys = entries.map(([id, base64 = '', more], at) => {
    const bytes = Buffer.from(base64, 'base64')
    const isBase64 = bytes.toString('base64').replace(/=+$/, '') === base64.replace(/=+$/, '')
    if (!/^[a-z0-9][a-z0-9-]{0,30}$/.test(id) || more !== undefined || !isBase64 || bytes.length !== KEY_BYTES)
      throw new Error(
        `must be keys as id:base64 of ${KEY_BYTES} bytes (openssl rand -base64 ${KEY_BYTES}), separated by commas, ids of lower-case letters, digits and dashes; entry ${at + 1} is none`,
      )
    return { id, bytes }
  })
  if (new Set(keys.map((each) => each.id)).size < keys.length) throw new Error('must have every key id once')
  return new SecretKeys(keys)
}
