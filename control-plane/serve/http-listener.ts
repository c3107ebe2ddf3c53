import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { createContextValues, type Interceptor } from '@connectrpc/connect'
import { namesOf } from '../access/certificate-roles.ts'
import { connectHandler } from './connect-handler.ts'
import type { Listener } from './grpc-listener.ts'
import { answerJson, answerProbe, type Probes } from './http-answers.ts'
import { ListenError } from './listen-error.ts'
import type { Log } from './log.ts'
import { trackLogged } from './logged-mark.ts'
import { followChanges, isUntrusted, listenerOptions, type ServerTls } from './server-tls.ts'
import type { ServiceEntry } from './service-entry.ts'
import { tellCertificate } from './who-calls.ts'

export type HttpListenerOptions = Probes & {
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  readonly services: readonly ServiceEntry[]
  readonly interceptors: Interceptor[]
  readonly limits: HttpLimits
  readonly log: Log
  /** Not set: without TLS. */
  readonly tls?: ServerTls | undefined
}

export type HttpLimits = {
  readonly requestBytesMax: number
  readonly responseBytesMax: number
  readonly headerBytesMax: number
  /** Until a request's headers are there. */
  readonly headersTimeoutMs: number
  /** Until the whole request is there, body included. */
  readonly requestTimeoutMs: number
  /** How long a connection without a request stays open. */
  readonly idleTimeoutMs: number
  readonly connectionsMax: number
}

/** Connect (JSON and binary) over HTTP/1.1, with or without TLS, with /metrics, /healthz and /readyz. Throws ListenError when the address cannot be had. */
export async function startHttpListener(options: HttpListenerOptions): Promise<Listener> {
  const { host, port, limits, tls } = options
  const timing = {
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: Math.min(1000, limits.headersTimeoutMs, limits.requestTimeoutMs),
  }
  const server = tls ? createTlsServer(timing, tls, options) : createServer(timing)
  server.maxConnections = limits.connectionsMax
  server.on('request', createHandler(options))
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new ListenError('HTTP', host, port, error)))
    server.listen(port, host, resolve)
  })
  server.removeAllListeners('error')
  server.on('error', (error) => options.log.error({ error: error.message }, 'the HTTP listener has an error'))
  return { port: (server.address() as AddressInfo).port, stop: (deadlineMs) => stop(server, deadlineMs) }
}

function createTlsServer(timing: ServerOptions, tls: ServerTls, { limits, log }: HttpListenerOptions): HttpsServer {
  const server = createHttpsServer({ ...timing, ...listenerOptions(tls, limits.headersTimeoutMs) })
  followChanges(tls, server)
  server.prependListener('secureConnection', (socket) => {
    if (isUntrusted(socket, log)) socket.destroy()
  })
  return server
}

function createHandler(options: HttpListenerOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const { services, interceptors, limits, log } = options
  const methods = services.flatMap(({ service }) => service.methods.map((method) => `/${service.typeName}/${method.name}`))
  const paths = new Set(methods)
  const rpc = connectHandler({
    routes: (router) => {
      for (const { service, implementation } of services) router.service(service, implementation)
    },
    interceptors,
    grpc: false,
    grpcWeb: false,
    readMaxBytes: limits.requestBytesMax,
    writeMaxBytes: limits.responseBytesMax,
    // A misspelt field would otherwise be dropped, and its writer told that all is well; and whoever reads the answer by eye
    // sees that a count is 0, not that it is missing.
    jsonOptions: { ignoreUnknownFields: false, alwaysEmitImplicit: true },
  })
  return (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? ''
    if (answerProbe(options, path, request, response)) return
    if (!paths.has(path)) return answerUnknown(path, services, methods, response)
    if (!acceptsRpc(path, request, response)) return
    const values = createContextValues()
    tellCertificate(values, () => certificateOf(request.socket))
    const hasReached = trackLogged(values)
    response.once('finish', () => {
      if (response.statusCode < 400 || hasReached()) return
      log.info({ call: path.slice(1), status: response.statusCode }, 'call refused before it reached a handler')
    })
    try {
      rpc(request, response, path, values, hasReached)
    } catch {
      // The adapter makes a URL of the Host header and throws, out of the listener, when that is missing or is none.
      answerJson(response, 400, { code: 'invalid_argument', message: 'the header host is missing or is no host name' })
    }
  }
}

const certificateOf = (socket: Socket): string[] =>
  socket instanceof TLSSocket && socket.authorized ? namesOf(socket.getPeerCertificate()) : []

function answerUnknown(
  path: string,
  services: HttpListenerOptions['services'],
  methods: readonly string[],
  response: ServerResponse,
): void {
  const service = services.find((each) => path.startsWith(`/${each.service.typeName}/`))?.service
  const calls = service ? methods.filter((method) => method.startsWith(`/${service.typeName}/`)) : methods
  answerJson(response, 404, {
    code: 'not_found',
    message: `nothing is at ${path.slice(0, 200)}`,
    pages: ['/healthz', '/readyz', '/metrics'],
    calls: calls.map((call) => `POST ${call}`),
  })
}

/** Connect itself answers these two mistakes with an empty body, and they are everybody's first with curl. */
function acceptsRpc(path: string, request: IncomingMessage, response: ServerResponse): boolean {
  if (request.method !== 'POST') {
    response.setHeader('allow', 'POST')
    const message = `call ${path} by POST, with a JSON body and the header content-type: application/json`
    answerJson(response, 405, { code: 'unimplemented', message })
    return false
  }
  const type = request.headers['content-type'] ?? ''
  if (/^application\/(connect\+)?(json|proto)\s*(;|$)/i.test(type)) return true
  response.setHeader('accept-post', 'application/json, application/proto')
  const given = type === '' ? 'no content-type' : `content-type ${type.slice(0, 100)}`
  answerJson(response, 415, {
    code: 'invalid_argument',
    message: `send content-type: application/json (or application/proto); given ${given}`,
  })
  return false
}

function stop(server: Server | HttpsServer, deadlineMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.closeAllConnections()
      resolve(false)
    }, deadlineMs)
    // A connection that has just answered would stay open for the next request: each answer from now on closes its own.
    server.prependListener('request', (_request, response: ServerResponse) => response.setHeader('connection', 'close'))
    const sweep = setInterval(() => server.closeIdleConnections(), 50)
    server.close(() => {
      clearTimeout(timer)
      clearInterval(sweep)
      resolve(true)
    })
  })
}
