import { X509Certificate } from 'node:crypto'

/** The certificates of a PEM text, in its order. Throws an Error when there is none, or when one cannot be read. */
export function readCertificates(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  if (blocks.length !== (pem.match(/-----BEGIN /g) ?? []).length) throw new Error('has something else than certificates in it')
  if (blocks.length === 0) throw new Error('has none')
  return blocks.map((block, at) => {
    try {
      return new X509Certificate(block)
    } catch {
      throw new Error(`has one that cannot be read: number ${at + 1}`)
    }
  })
}
