import type { AddressInfo, Server as NetServer, Socket } from 'node:net'
import { createServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { Interceptor } from '@connectrpc/connect'
import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from '@grpc/grpc-js'
import { addService } from './grpc-adapter.ts'
import { ListenError } from './listen-error.ts'
import type { Log } from './log.ts'
import { followChanges, isUntrusted, listenerOptions, type ServerTls } from './server-tls.ts'
import type { ServiceEntry } from './service-entry.ts'

export type GrpcListenerOptions = {
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  readonly services: readonly GrpcService[]
  readonly limits: GrpcLimits
  readonly log: Log
  /** Not set: without TLS. */
  readonly tls?: ServerTls | undefined
}

export type GrpcService = ServiceEntry & { readonly interceptors: Interceptor[] }

export type GrpcLimits = {
  readonly requestBytesMax: number
  readonly responseBytesMax: number
  /** A connection that was silent so long is pinged. */
  readonly keepaliveTimeMs: number
  /** A ping that has no answer after so long ends the connection and all its calls. */
  readonly keepaliveTimeoutMs: number
  /** Calls at once on one connection. */
  readonly callsPerConnectionMax: number
  /** Connections at once; more are closed as they come. */
  readonly connectionsMax: number
}

export type Listener = {
  readonly port: number
  /** Takes no new calls, lets those on the way end, and cuts what is left at the deadline. Answers whether all ended by themselves. */
  stop(deadlineMs: number): Promise<boolean>
}

/** gRPC over HTTP/2. Throws ListenError when the address cannot be had. */
export async function startGrpcListener({ host, port, services, limits, log, tls }: GrpcListenerOptions): Promise<Listener> {
  // It prints metadata that it cannot read, values included: an Authorization header must not come into any log.
  setLogVerbosity(logVerbosity.NONE)
  // Channelz stays on, although nobody reads it: without it, this grpc-js forgets its sessions, and forceShutdown cuts nothing.
  const server = new Server({
    'grpc.max_receive_message_length': limits.requestBytesMax,
    'grpc.max_send_message_length': limits.responseBytesMax,
    'grpc.keepalive_time_ms': limits.keepaliveTimeMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    'grpc.max_concurrent_streams': limits.callsPerConnectionMax,
  })
  for (const { service, implementation, interceptors } of services) addService(server, service, implementation, interceptors)
  // A server that grpc-js binds itself takes any number of connections.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  const listener = createListener((socket) => injector.injectConnection(socket), tls, limits.keepaliveTimeoutMs, log)
  listener.maxConnections = limits.connectionsMax
  await new Promise<void>((resolve, reject) => {
    listener.once('error', (error) => reject(new ListenError('gRPC', host, port, error)))
    listener.listen(port, host, resolve)
  })
  listener.removeAllListeners('error')
  listener.on('error', () => {})
  return { port: (listener.address() as AddressInfo).port, stop: (deadlineMs) => stop(listener, server, deadlineMs) }
}

function createListener(
  accept: (socket: Socket) => void,
  tls: ServerTls | undefined,
  handshakeTimeoutMs: number,
  log: Log,
): NetServer {
  if (tls === undefined) return createServer({ noDelay: true }, accept)
  const options = { ...listenerOptions(tls, handshakeTimeoutMs), ALPNProtocols: ['h2'], noDelay: true }
  const listener = createTlsServer(options, (socket) => {
    socket.on('error', () => {})
    if (isUntrusted(socket, log)) socket.destroy()
    else accept(socket)
  })
  followChanges(tls, listener)
  return listener
}

function stop(listener: NetServer, server: Server, deadlineMs: number): Promise<boolean> {
  listener.close()
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown()
      resolve(false)
    }, deadlineMs)
    server.tryShutdown(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}
