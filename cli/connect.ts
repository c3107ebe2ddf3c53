import { ConnectError, type Interceptor } from '@connectrpc/connect'
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node'
import { createServiceClients, type ServiceClients } from '../proto/service-clients.ts'
import type { Settings } from './settings.ts'

export interface Ferry extends ServiceClients {
  close(): void
}

/** Other characters cannot stand in a header: such a name is left out. */
const isHeaderValue = /^[\x20-\x7e]+$/

/** Connects at the first call. Every unary call has the deadline of `--timeout`. */
export function connect(settings: Settings, interrupted: AbortSignal): Ferry {
  const { address, token, actor, ca, certificate, key } = settings
  const tls = { ...(ca && { ca }), ...(certificate && { cert: certificate }), ...(key && { key }) }
  const sessions = new Http2SessionManager(address.origin, {}, tls)
  const signIn: Interceptor = (next) => (request) => {
    if (token !== undefined) request.header.set('authorization', `Bearer ${token}`)
    if (isHeaderValue.test(actor)) request.header.set('ferry-actor', actor)
    return next(request)
  }
  const stopWhenInterrupted: Interceptor = (next) => async (request) => {
    if (interrupted.aborted) throw ConnectError.from(interrupted.reason)
    return next(request)
  }
  const transport = createGrpcTransport({
    baseUrl: address.origin,
    sessionManager: sessions,
    defaultTimeoutMs: settings.timeoutMs,
    interceptors: [stopWhenInterrupted, signIn],
  })
  return { ...createServiceClients(transport), close: () => sessions.abort() }
}
