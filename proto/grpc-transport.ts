import { type DescMessage, type DescMethod, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf'
import { Code, ConnectError, createContextValues, type Interceptor, type Transport } from '@connectrpc/connect'
import { runStreamingCall, runUnaryCall } from '@connectrpc/connect/protocol'
import { findTrailerError } from '@connectrpc/connect/protocol-grpc'
import { type ChannelCredentials, Client, type ClientDuplexStream, credentials, Metadata, type StatusObject } from '@grpc/grpc-js'

type Message = MessageShape<DescMessage>
type Call = ClientDuplexStream<Message, Message>
type OpenCall = { readonly call: Call; readonly status: Promise<StatusObject>; readonly responseHeader: Promise<Headers> }

type Open = (method: DescMethod, header: Headers, signal: AbortSignal, timeoutMs: number) => OpenCall

export type GrpcJsTransportOptions = {
  readonly interceptors?: readonly Interceptor[]
  /** Deadline of unary calls that give none. Not set means 10 s. */
  readonly callTimeoutMs?: number
  /** Deadline of streams that give none. Not set means 1 h. */
  readonly streamTimeoutMs?: number
  /** A connection that was silent so long is pinged, also without calls. Not set means 10 s. */
  readonly keepaliveTimeMs?: number
  /** A ping without an answer after so long ends the connection, and its calls with UNAVAILABLE. Not set means 5 s. */
  readonly keepaliveTimeoutMs?: number
  /** The longest wait between two attempts to connect. Not set means 2 s. */
  readonly reconnectIntervalMaxMs?: number
  /** Longest message either way. Not set means 16 MiB. */
  readonly messageBytesMax?: number
  /** Not set means plain text. */
  readonly tls?: GrpcTls | undefined
}

/** PEM texts; '' for one that is not given. */
export type GrpcTls = {
  /** What the server's certificate must lead to. Not given: the CAs that Node brings along. */
  readonly ca: string
  /** What is shown to the server, and its key. */
  readonly cert: string
  readonly key: string
  /** Name that the server's certificate must have; '' for the host that is called. */
  readonly serverName: string
}

export type GrpcJsTransport = Transport & {
  /** Ends open calls with CANCELED and lets the connection go. Later calls are UNAVAILABLE. */
  close(): void
}

/**
 * Lets Connect's typed clients call through one grpc-js channel to `address` (`host:port`, or a grpc target such as
 * `dns:///control-plane:7001`). Connects at the first call and again whenever the connection is lost; a call made while there is
 * none fails soon with UNAVAILABLE. A stream is ended by aborting its signal: leaving its loop is not enough.
 */
export function createGrpcJsTransport(address: string, options: GrpcJsTransportOptions = {}): GrpcJsTransport {
  const client = new Client(address, toCredentials(options.tls), toChannelOptions(options))
  const interceptors = [...(options.interceptors ?? [])]
  const calls = new Set<Call>()
  let closed = false

  const open: Open = (method, header, signal, timeoutMs) => {
    if (closed) throw new ConnectError(`the channel to ${address} is closed`, Code.Unavailable)
    const opened = openCall(client, method, header, signal, timeoutMs)
    calls.add(opened.call)
    opened.call.once('status', () => calls.delete(opened.call))
    return opened
  }
  return {
    unary: createUnary(open, interceptors, options.callTimeoutMs ?? 10_000),
    stream: createStream(open, interceptors, options.streamTimeoutMs ?? 3_600_000),
    close() {
      closed = true
      for (const call of calls) call.cancel()
      client.close()
    },
  }
}

function createUnary(open: Open, interceptors: Interceptor[], defaultTimeoutMs: number): Transport['unary'] {
  return (method, signal, timeoutMs = defaultTimeoutMs, header, message, contextValues = createContextValues()) =>
    runUnaryCall({
      interceptors,
      timeoutMs,
      ...(signal && { signal }),
      req: { ...requestOf(method, header), contextValues, stream: false, method, message },
      next: async (request) => {
        const { call, status, responseHeader } = open(method, request.header, request.signal, timeoutMs)
        call.end(request.message as Message)
        const trailer = new Headers()
        const responses: Message[] = []
        for await (const response of read(call, status, trailer, request.signal)) responses.push(response)
        if (responses.length !== 1) throw new ConnectError(`${responses.length} responses to a unary call`, Code.Unimplemented)
        const common = { service: method.parent, header: await responseHeader, trailer }
        return { ...common, stream: false, method, message: responses[0] as MessageShape<typeof method.output> }
      },
    })
}

function createStream(open: Open, interceptors: Interceptor[], defaultTimeoutMs: number): Transport['stream'] {
  return (method, signal, timeoutMs = defaultTimeoutMs, header, messages, contextValues = createContextValues()) =>
    runStreamingCall({
      interceptors,
      timeoutMs,
      ...(signal && { signal }),
      req: { ...requestOf(method, header), contextValues, stream: true, method, message: messages },
      next: async (request) => {
        const { call, status, responseHeader } = open(method, request.header, request.signal, timeoutMs)
        const trailer = new Headers()
        const responses = read(call, status, trailer, request.signal)
        void send(call, request.message as AsyncIterable<Message>)
        const common = { service: method.parent, header: await responseHeader, trailer }
        return { ...common, stream: true, method, message: responses as AsyncIterable<MessageShape<typeof method.output>> }
      },
    })
}

function toCredentials(tls: GrpcTls | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure()
  const [ca, cert, key] = [tls.ca, tls.cert, tls.key].map((text) => (text === '' ? null : Buffer.from(text)))
  return credentials.createSsl(ca, key, cert)
}

function toChannelOptions(options: GrpcJsTransportOptions): ConstructorParameters<typeof Client>[2] {
  const reconnectIntervalMaxMs = options.reconnectIntervalMaxMs ?? 2000
  return {
    'grpc.keepalive_time_ms': options.keepaliveTimeMs ?? 10_000,
    'grpc.keepalive_timeout_ms': options.keepaliveTimeoutMs ?? 5000,
    'grpc.keepalive_permit_without_calls': 1,
    'grpc.initial_reconnect_backoff_ms': Math.min(200, reconnectIntervalMaxMs),
    'grpc.max_reconnect_backoff_ms': reconnectIntervalMaxMs,
    'grpc.max_receive_message_length': options.messageBytesMax ?? 16 * 1024 * 1024,
    'grpc.max_send_message_length': options.messageBytesMax ?? 16 * 1024 * 1024,
    // Its own connection, so that close() ends it; and never through a proxy that the environment names for other traffic.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_channelz': 0,
    ...(options.tls && options.tls.serverName !== '' && { 'grpc.ssl_target_name_override': options.tls.serverName }),
  }
}

function requestOf(method: DescMethod, header: Parameters<Transport['unary']>[3]) {
  const url = `/${method.parent.typeName}/${method.name}`
  return { service: method.parent, requestMethod: 'POST', url, header: new Headers(header) }
}

function openCall(client: Client, method: DescMethod, header: Headers, signal: AbortSignal, timeoutMs: number): OpenCall {
  const call: Call = client.makeBidiStreamRequest(
    `/${method.parent.typeName}/${method.name}`,
    (message: Message) => Buffer.from(toBinary(method.input, message)),
    (bytes: Buffer) => fromBinary(method.output, bytes) as Message,
    Metadata.fromHttp2Headers(Object.fromEntries(header)),
    { deadline: Date.now() + timeoutMs },
  )
  const cancel = (): void => call.cancel()
  signal.addEventListener('abort', cancel)
  call.once('status', () => signal.removeEventListener('abort', cancel))
  // Listened to from the start: the call can fail before anyone reads it. The status tells all that the error does.
  call.on('error', () => {})
  const status = new Promise<StatusObject>((resolve) => call.once('status', resolve))
  const responseHeader = new Promise<Headers>((resolve) => {
    call.once('metadata', (metadata: Metadata) => resolve(toHeaders(metadata)))
    call.once('status', () => resolve(new Headers()))
  })
  if (signal.aborted) cancel()
  return { call, status, responseHeader }
}

async function send(call: Call, messages: AsyncIterable<Message>): Promise<void> {
  try {
    for await (const message of messages) {
      if (call.destroyed) return
      if (!call.write(message)) await writable(call)
    }
    call.end()
  } catch {
    call.cancel()
  }
}

function writable(call: Call): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.off('drain', done)
      call.off('status', done)
      resolve()
    }
    call.once('drain', done)
    call.once('status', done)
  })
}

async function* read(call: Call, status: Promise<StatusObject>, trailer: Headers, signal: AbortSignal): AsyncGenerator<Message> {
  try {
    for await (const message of call) yield message as Message
  } catch {
    // The status tells more than the stream's error.
  }
  const { code, details, metadata } = await status
  toHeaders(metadata).forEach((value, key) => {
    trailer.append(key, value)
  })
  if (code === 0) return
  if (signal.aborted && signal.reason instanceof ConnectError) throw signal.reason
  throw readTrailerError(trailer) ?? new ConnectError(details, code as number as Code, trailer)
}

/** The error with its details. Undefined when there are none, or when they cannot be read: the status alone is said then. */
function readTrailerError(trailer: Headers): ConnectError | undefined {
  try {
    return findTrailerError(trailer)
  } catch {
    return undefined
  }
}

function toHeaders(metadata: Metadata): Headers {
  const headers = new Headers()
  for (const [key, values] of Object.entries(metadata.toHttp2Headers())) {
    for (const value of Array.isArray(values) ? values : [values]) headers.append(key, String(value))
  }
  return headers
}
