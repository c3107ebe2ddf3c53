import type { HttpProxy } from '../../proto/gen/ferry/v1/proxy_pb.ts'
import { part } from './plan-values.ts'

/** A proxy that opens tunnels. */
export interface ProxyTarget {
  /** Scheme, host and port. */
  readonly origin: string
  /** For proxy-authorization. */
  readonly authorization: string | undefined
}

export function compileProxy(field: string, proxy: HttpProxy | undefined): ProxyTarget | undefined {
  if (proxy === undefined) return undefined
  const { url, username, password } = part(field, proxy)
  const { origin } = new URL(url)
  if (username === '') return { origin, authorization: undefined }
  const credentials = `${username}:${part(`${field}.password`, password).value}`
  return { origin, authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }
}
