import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'

/** A key that certificates can be checked with. */
export interface CertificateKey {
  readonly id: string
  /** In PEM. */
  readonly publicKey: string
}

/** The key that signs certificates, if there is one, and those that did so before it. */
export class CertificateKeys {
  /** The first is that of the private key. */
  readonly list: readonly CertificateKey[]
  readonly #signing: KeyObject | undefined

  constructor(signing: KeyObject | undefined, retired: readonly KeyObject[]) {
    this.#signing = signing
    this.list = [...(signing ? [createPublicKey(signing)] : []), ...retired].map((key) => ({
      ...{ id: keyIdOf(key), publicKey: key.export({ format: 'pem', type: 'spki' }).toString() },
    }))
  }

  /** Undefined: certificates are not signed. */
  get signingId(): string | undefined {
    return this.#signing && this.list[0]!.id
  }

  /** Empty without a key. */
  sign(document: string): Buffer {
    return this.#signing === undefined ? Buffer.alloc(0) : sign(null, Buffer.from(document), this.#signing)
  }
}

const keyIdOf = (key: KeyObject): string =>
  createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('hex')
    .slice(0, 16)

const form =
  'must have an Ed25519 private key in PEM first (openssl genpkey -algorithm ed25519), and after it public keys in PEM, or nothing'

/** Reads a private key and public keys in PEM; an empty text has none. Throws an Error that says what would be right, and repeats nothing. */
export function readCertificateKeys(text: string): CertificateKeys {
  const blocks = text.match(/-----BEGIN ([A-Z ]+)-----[^-]*-----END \1-----/g) ?? []
  if (text.trim() === '') return new CertificateKeys(undefined, [])
  const keys = blocks.map((pem, at) => {
    try {
      return at === 0 ? createPrivateKey(pem) : publicKeyOf(pem)
    } catch {
      throw new Error(`${form}; block ${at + 1} is none`)
    }
  })
  if (keys.length === 0) throw new Error(form)
  const other = keys.findIndex((key) => key.asymmetricKeyType !== 'ed25519')
  if (other >= 0) throw new Error(`${form}; block ${other + 1} is a key of ${keys[other]!.asymmetricKeyType}`)
  return new CertificateKeys(keys[0], keys.slice(1))
}

/** Not that of a private key: what is no longer used to sign need not lie about. */
function publicKeyOf(pem: string): KeyObject {
  if (!pem.startsWith('-----BEGIN PUBLIC KEY-----')) throw new Error('not a public key')
  return createPublicKey(pem)
}
