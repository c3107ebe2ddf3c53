import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { Tls } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import { readCertificates } from './read-certificates.ts'
import type { Violation } from './violation.ts'

type Add = (name: string, reason: Violation['reason'], description: string) => void

/** What is wrong with certificates and a key that is there as far as it can be opened. Nothing of the key is repeated. */
export function checkTls(path: string, tls: Tls, url: string, nowMs: number): Violation[] {
  const violations: Violation[] = []
  const add: Add = (name, reason, description) => {
    const field = name === '' ? path : `${path}.${name}`
    violations.push({ field, description: `${field} ${description}`, reason })
  }
  if (/^http:/i.test(url)) add('', 'TLS_UNUSED', 'is for https: give an https URL, or leave it out')
  if (tls.caCertificates !== '') checkCa(tls.caCertificates, nowMs, add)
  checkClient(tls, nowMs, add)
  return violations
}

function checkCa(pem: string, nowMs: number, add: Add): void {
  const certificates = certificatesOf('ca_certificates', pem, add)
  // Bundles have old ones beside those that replace them.
  if (certificates.length > 0 && certificates.every((each) => validityProblem(each, nowMs) !== undefined))
    add(
      'ca_certificates',
      'TLS_VALIDITY',
      `must have one that is valid now: the first ${validityProblem(certificates[0]!, nowMs)}`,
    )
}

function checkClient({ clientCertificate, clientKey }: Tls, nowMs: number, add: Add): void {
  if (clientCertificate === '' && clientKey === undefined) return
  if (clientKey === undefined) {
    add('client_key', 'TLS_INCOMPLETE', 'must be given with client_certificate')
    return
  }
  const key = keyOf(clientKey.value, add)
  if (clientCertificate === '') {
    add('client_certificate', 'TLS_INCOMPLETE', 'must be given with client_key')
    return
  }
  const [certificate] = certificatesOf('client_certificate', clientCertificate, add)
  if (certificate === undefined) return
  const problem = validityProblem(certificate, nowMs)
  if (problem !== undefined) add('client_certificate', 'TLS_VALIDITY', `must be valid now: it ${problem}`)
  if (key === undefined) return
  if (!certificate.checkPrivateKey(key)) {
    add('client_key', 'TLS_KEY', 'must be the key of the first certificate in client_certificate; it is the key of another')
    return
  }
  const refusal = refusalOf(clientCertificate, clientKey.value)
  if (refusal !== undefined) add('client_certificate', 'TLS_CERTIFICATE', `must be one that OpenSSL takes: ${refusal}`)
}

function certificatesOf(name: string, pem: string, add: Add): X509Certificate[] {
  try {
    return readCertificates(pem)
  } catch (error) {
    add(name, 'TLS_CERTIFICATE', `must be certificates as PEM; it ${(error as Error).message}`)
    return []
  }
}

/** Undefined when it cannot be opened or read. */
function keyOf(pem: string, add: Add): KeyObject | undefined {
  if (pem === '') return undefined
  try {
    return createPrivateKey(pem)
  } catch (error) {
    const isEncrypted = (error as { code?: string }).code === 'ERR_MISSING_PASSPHRASE' || pem.includes('ENCRYPTED')
    add('client_key', 'TLS_KEY', `must be a private key as PEM, not encrypted${isEncrypted ? '; it is encrypted' : ''}`)
    return undefined
  }
}

function validityProblem({ validFromDate, validToDate }: X509Certificate, nowMs: number): string | undefined {
  if (validToDate.getTime() <= nowMs) return `expired at ${validToDate.toISOString()}`
  return validFromDate.getTime() > nowMs ? `is not valid before ${validFromDate.toISOString()}` : undefined
}

function refusalOf(cert: string, key: string): string | undefined {
  try {
    createSecureContext({ cert, key })
    return undefined
  } catch (error) {
    return (error as { code?: string }).code ?? 'it does not'
  }
}
