import { hostname } from 'node:os'

/** `host:port` as what a listener takes. */
export function hostAndPort(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':')
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) }
}

export const withPort = (address: string, port: number): string => `${address.slice(0, address.lastIndexOf(':'))}:${port}`

/**
 * Where other replicas reach this one: what was configured, else where it listens. A wildcard is no address that others could
 * call: then it is this host's name. `port` is the one that it really listens on, once it does.
 */
export function advertisedAddress(configured: string, listening: string, port: number | undefined): string {
  if (configured !== '') return configured
  const address = withPort(listening, port ?? hostAndPort(listening).port)
  return address.replace(/^(0\.0\.0\.0|\[::\])(?=:)/, hostname())
}
