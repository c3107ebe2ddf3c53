import { createSecureContext, type SecureContext } from 'node:tls'
import type { Tls } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import { PlanError } from './plan-error.ts'
import { part } from './plan-values.ts'

/** Options of node:tls, for every connection to the endpoint. */
export interface TlsOptions {
  readonly secureContext?: SecureContext
  readonly servername?: string
}

/** Certificates and the key are read here, once per revision, and not for each connection. */
export function compileTls(field: string, tls: Tls | undefined): TlsOptions {
  if (tls === undefined) return {}
  const { caCertificates, clientCertificate, clientKey, serverName } = part(field, tls)
  const own = clientCertificate === '' ? {} : { cert: clientCertificate, key: part(`${field}.client_key`, clientKey).value }
  try {
    const secureContext = createSecureContext({ ...(caCertificates !== '' && { ca: caCertificates }), ...own })
    return { secureContext, ...(serverName !== '' && { servername: serverName }) }
  } catch (error) {
    // OpenSSL's words have nothing of a key.
    throw new PlanError('INVALID', field, `is not usable: ${error instanceof Error ? error.message : String(error)}`)
  }
}
