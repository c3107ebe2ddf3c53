import type { TlsOptions } from 'node:tls'
import { text } from '../runtime/config.ts'
import { controlPlaneCa, findControlPlaneTlsProblems, reachControlPlanes } from '../runtime/control-plane-tls.ts'
import type { Logger } from '../runtime/log.ts'
import { readTlsFiles, type TlsTexts, watchTlsFiles } from '../runtime/tls-files.ts'
import type { CertificateRoles } from './access/certificate-roles.ts'
import type { ServerTls } from './serve/server-tls.ts'

const file = (env: string, description: string) => text(env, { default: '', description })

/** TLS on both ports of a control plane, and on the way to the one that leads. */
export const tlsSettings = {
  tlsCertificateFile: file(
    'FERRY_TLS_CERTIFICATE_FILE',
    'PEM file of the certificate of both ports, with what lies between it and its CA. Given: both are served by TLS alone, and the leader is called by it ([docs/access.md](docs/access.md)). Read again when it changes.',
  ),
  tlsKeyFile: file('FERRY_TLS_KEY_FILE', 'PEM file of its private key, not encrypted.'),
  tlsClientCaFile: file(
    'FERRY_TLS_CLIENT_CA_FILE',
    'PEM file of the CA certificates that client certificates must lead to. Empty: none is asked for. Read again when it changes.',
  ),
  ...controlPlaneCa,
} as const

interface Tls {
  readonly tlsCertificateFile: string
  readonly tlsKeyFile: string
  readonly tlsClientCaFile: string
  readonly controlPlaneCaFile: string
  readonly controlPlaneServerName: string
  readonly certificateRoles: CertificateRoles
}

const names = {
  ca: tlsSettings.tlsClientCaFile.env,
  cert: tlsSettings.tlsCertificateFile.env,
  key: tlsSettings.tlsKeyFile.env,
}
const pathsOf = ({ tlsClientCaFile: ca, tlsCertificateFile: cert, tlsKeyFile: key }: Tls) => ({ ca, cert, key })
const toLeader = (config: Tls) => ({ ...config, controlPlaneTls: config.tlsCertificateFile === '' ? 'off' : 'on' }) as const

export function findTlsProblems(config: Tls): string[] {
  const problems: string[] = []
  readTlsFiles(names, pathsOf(config), problems)
  const { tlsClientCaFile, tlsCertificateFile, certificateRoles } = config
  if (tlsClientCaFile !== '' && tlsCertificateFile === '')
    problems.push(`${names.ca} is given, and no ${names.cert}: client certificates are shown by TLS only`)
  if (certificateRoles.size > 0 !== (tlsClientCaFile !== ''))
    problems.push(
      `${names.ca} and FERRY_CERTIFICATE_ROLES must be given both, or neither: whose certificates, and what they may do`,
    )
  return [...problems, ...findControlPlaneTlsProblems(toLeader(config), `set ${names.cert}`)]
}

/** How the leader is called. */
export const reachLeader = (config: Tls, log: Logger) => reachControlPlanes(toLeader(config), log)

/** Undefined without TLS. */
export function openServerTls(config: Tls, log: Logger): ServerTls | undefined {
  if (config.tlsCertificateFile === '') return undefined
  const listeners: (() => void)[] = []
  const files = watchTlsFiles(names, pathsOf(config), 'TLS', log, () => {
    for (const changed of listeners) changed()
  })
  return { options: () => optionsOf(files.current), onChange: (changed) => void listeners.push(changed) }
}

const optionsOf = ({ ca, cert, key }: TlsTexts): TlsOptions => ({ cert, key, ...(ca !== '' && { ca }), minVersion: 'TLSv1.2' })
