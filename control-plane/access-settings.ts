import { addressKind } from '../runtime/address-kind.ts'
import { choice, duration, wholeNumber } from '../runtime/config.ts'
import { type CertificateRoles, readCertificateRoles } from './access/certificate-roles.ts'
import { readHashes } from './access/token-secret.ts'
import { hostAndPort } from './address.ts'

/** Who may call a control plane, and how often. */
export const accessSettings = {
  adminTokenHashes: {
    env: 'FERRY_ADMIN_TOKEN_SHA256',
    default: '',
    description:
      'SHA-256 of tokens that may do everything but be a worker, in hexadecimal, separated by commas: the first admins make all other tokens with them. Empty: nobody is asked who they are, and only loopback is served. The same for all control planes ([docs/access.md](docs/access.md)).',
    isSecret: true,
    parse: readHashes,
  },
  certificateRoles: {
    env: 'FERRY_CERTIFICATE_ROLES',
    default: '',
    description:
      'Roles of client certificates by one of their names, as `dns:`, `uri:`, `email:` or `cn:` and the name, `=` and a role, and `@` with namespaces joined by `+` unless it has all: `uri:spiffe://acme/ci=editor@shop+billing`, separated by commas; the first name of a certificate that is there counts.',
    parse: readCertificateRoles,
  },
  tokensMax: wholeNumber('FERRY_TOKENS_MAX', {
    default: '1000',
    min: 1,
    max: 100_000,
    description: 'Tokens that may be kept; those that are revoked or have expired make room, the oldest first.',
  }),
  tokensIntervalMs: duration('FERRY_TOKENS_INTERVAL', {
    default: '1s',
    minMs: 0,
    maxMs: 60_000,
    description: 'A token that was revoked at another replica is taken for at most so long.',
  }),
  callsPerSecondMax: wholeNumber('FERRY_CALLS_PER_SECOND_MAX', {
    default: '200',
    min: 1,
    max: 1_000_000,
    description:
      'Calls a second of one token or certificate to one control plane, workers apart; twice as many may come at once, more are refused.',
  }),
  reflection: choice('FERRY_REFLECTION', {
    of: ['on', 'off'],
    default: 'on',
    description: 'on: the gRPC port tells everybody which services and messages there are, so that grpcurl needs no proto files.',
  }),
} as const

interface Access {
  readonly adminTokenHashes: readonly string[]
  readonly certificateRoles: CertificateRoles
}

/** Nobody is asked who they are. */
export const isOpen = ({ adminTokenHashes, certificateRoles }: Access): boolean =>
  adminTokenHashes.length === 0 && certificateRoles.size === 0

/** Whoever reaches an open control plane may do everything: only this machine may. */
export function findOpenProblems(config: Access & { readonly grpcAddress: string; readonly httpAddress: string }): string[] {
  if (!isOpen(config)) return []
  const addresses = [
    ['FERRY_GRPC_ADDRESS', config.grpcAddress],
    ['FERRY_HTTP_ADDRESS', config.httpAddress],
  ] as const
  return addresses
    .filter(([, address]) => !isLoopback(hostAndPort(address).host))
    .map(
      ([env, address]) =>
        `${env}=${JSON.stringify(address)}: nobody is asked who they are, so only loopback is served: set FERRY_ADMIN_TOKEN_SHA256 or FERRY_CERTIFICATE_ROLES (docs/access.md says how), or listen on 127.0.0.1`,
    )
}

const isLoopback = (host: string): boolean => host.toLowerCase() === 'localhost' || addressKind(host) === 'loopback'
