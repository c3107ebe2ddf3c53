import type { Server, TLSSocket, TlsOptions } from 'node:tls'
import type { Log } from './log.ts'

/** Certificate and key of both ports, and whose client certificates are taken. They may change while the server runs. */
export interface ServerTls {
  /** As they are now. */
  readonly options: () => TlsOptions
  /** Called when they have changed. */
  readonly onChange: (changed: () => void) => void
}

/**
 * What a listener is made with. A client certificate is asked for and not demanded: probes have none, and tokens do as well; see isUntrusted.
 */
export const listenerOptions = (tls: ServerTls, handshakeTimeoutMs: number): TlsOptions => ({
  ...tls.options(),
  requestCert: tls.options().ca !== undefined,
  rejectUnauthorized: false,
  handshakeTimeout: handshakeTimeoutMs,
})

/** New connections are made by what has changed; those that are there go on. */
export function followChanges(tls: ServerTls, server: Pick<Server, 'setSecureContext'>): void {
  tls.onChange(() => server.setSecureContext(tls.options()))
}

/**
 * Whether the client has shown a certificate that is not trusted: such a connection is closed. OpenSSL's complaint about it would else
 * break it off at some later moment.
 */
export function isUntrusted(socket: TLSSocket, log: Log): boolean {
  if (socket.authorized || socket.getPeerX509Certificate() === undefined) return false
  const why = String(socket.authorizationError)
  log.info({ address: socket.remoteAddress, why }, 'connection refused: its client certificate is not trusted')
  return true
}
