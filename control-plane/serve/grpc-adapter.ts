import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import {
  Code,
  ConnectError,
  createContextValues,
  createHandlerContext,
  createServiceImplSpec,
  type HandlerContext,
  type Interceptor,
  type ServiceImpl,
} from '@connectrpc/connect'
import { invokeUnaryImplementation, transformInvokeImplementation } from '@connectrpc/connect/protocol'
import { setTrailerStatus } from '@connectrpc/connect/protocol-grpc'
import type {
  handleBidiStreamingCall,
  handleUnaryCall,
  Server,
  ServerDuplexStream,
  ServerUnaryCall,
  sendUnaryData,
} from '@grpc/grpc-js'
import { Metadata, type MethodDefinition, type ServerErrorResponse, type UntypedServiceImplementation } from '@grpc/grpc-js'
import { namesOf } from '../access/certificate-roles.ts'
import { ferryError, internalError } from './errors.ts'
import { tellCertificate } from './who-calls.ts'

type Message = MessageShape<DescMessage>
type Call = ServerUnaryCall<Message, Message> | ServerDuplexStream<Message, Message>
type Context = ReturnType<typeof createHandlerContext>
type MethodSpec = ReturnType<typeof createServiceImplSpec>['methods'][string]
type UnarySpec = MethodSpec & { kind: 'unary' }

/**
 * Serves a Connect implementation on a grpc-js server: same handlers, same interceptors, same errors as over HTTP/1.1.
 * Built on `@connectrpc/connect/protocol`, which keeps no promise between versions: the tests of this folder hold it in place.
 */
export function addService<S extends DescService>(
  server: Server,
  service: S,
  implementation: Partial<ServiceImpl<S>>,
  interceptors: Interceptor[],
): void {
  const definition: Record<string, MethodDefinition<Message, Message>> = {}
  const handlers: UntypedServiceImplementation = {}
  for (const spec of Object.values(createServiceImplSpec(service, implementation as ServiceImpl<S>).methods)) {
    definition[spec.method.localName] = toMethodDefinition(spec.method)
    handlers[spec.method.localName] = spec.kind === 'unary' ? serveUnary(spec, interceptors) : serveStream(spec, interceptors)
  }
  server.addService(definition, handlers)
}

function serveUnary(spec: UnarySpec, interceptors: Interceptor[]): handleUnaryCall<Message, Message> {
  return (call, callback: sendUnaryData<Message>) => {
    const context = toContext(spec.method, call)
    const invoke = async () => {
      refuseUndecodable(spec.method, call.request)
      return invokeUnaryImplementation(spec, context, call.request, interceptors)
    }
    invoke()
      .then((response) => {
        sendHeader(call, context)
        callback(null, response, toMetadata(context.responseTrailer))
      })
      .catch((reason: unknown) => callback(toServiceError(reason, context)))
      .finally(() => context.abort())
  }
}

/** On the wire a server stream and a client stream are bidi streams, so one handler serves the three kinds. */
function serveStream(spec: MethodSpec, interceptors: Interceptor[]): handleBidiStreamingCall<Message, Message> {
  return (call) => {
    const context = toContext(spec.method, call)
    sendAll(call, context, transformInvokeImplementation(spec, context, interceptors)(requestsOf(spec.method, call)))
      .catch((reason: unknown) => call.emit('error', toServiceError(reason, context)))
      .finally(() => context.abort())
  }
}

/** A handler may stop reading requests and go on answering: its iterator must not destroy the call, which is both directions. */
async function* requestsOf(method: DescMethod, call: ServerDuplexStream<Message, Message>): AsyncGenerator<Message> {
  try {
    for await (const message of call.iterator({ destroyOnReturn: false })) {
      refuseUndecodable(method, message)
      yield message
    }
  } catch (error) {
    if (error instanceof ConnectError) throw error
    throw new ConnectError('the client ended the call in the middle of its requests', Code.Canceled)
  }
}

async function sendAll(
  call: ServerDuplexStream<Message, Message>,
  context: Context,
  responses: AsyncIterable<Message>,
): Promise<void> {
  let headerSent = false
  for await (const message of responses) {
    if (!headerSent) sendHeader(call, context)
    headerSent = true
    if (!call.write(message)) await drained(call, context.signal)
    if (context.signal.aborted) break
  }
  if (!headerSent) sendHeader(call, context)
  call.end(toMetadata(context.responseTrailer))
}

/** In the place of a request that is no message: what grpc-js makes of a decoder's error is INTERNAL, as if the server were broken. */
const undecodable = new WeakSet<Message>()

function decode(method: DescMethod, bytes: Buffer): Message {
  try {
    return fromBinary(method.input, bytes)
  } catch {
    const message = create(method.input)
    undecodable.add(message)
    return message
  }
}

function refuseUndecodable(method: DescMethod, message: Message): void {
  if (!undecodable.has(message)) return
  throw ferryError(Code.InvalidArgument, 'INVALID_REQUEST', `the request is no ${method.input.typeName} in binary form`)
}

function toMethodDefinition(method: DescMethod): MethodDefinition<Message, Message> {
  const stream = method.methodKind !== 'unary'
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    originalName: method.localName,
    requestStream: stream,
    responseStream: stream,
    requestSerialize: (message) => asBuffer(toBinary(method.input, message)),
    requestDeserialize: (bytes) => decode(method, bytes),
    responseSerialize: (message) => asBuffer(toBinary(method.output, message)),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function toContext(method: DescMethod, call: Call): Context {
  const cancelled = new AbortController()
  call.on('cancelled', () => cancelled.abort(new ConnectError('the client cancelled the call', Code.Canceled)))
  const deadline = call.getDeadline()
  const requestHeader = new Headers()
  for (const [key, values] of Object.entries(call.metadata.toHttp2Headers())) {
    for (const value of Array.isArray(values) ? values : [values]) requestHeader.append(key, String(value))
  }
  const contextValues = createContextValues()
  tellCertificate(contextValues, () => namesOf(call.getAuthContext().sslPeerCertificate ?? {}))
  return createHandlerContext({
    contextValues,
    service: method.parent,
    method,
    protocolName: 'grpc',
    requestMethod: 'POST',
    url: `http://${call.getHost()}/${method.parent.typeName}/${method.name}`,
    requestSignal: cancelled.signal,
    requestHeader,
    ...(deadline === Infinity ? {} : { timeoutMs: Math.max(0, Number(deadline) - Date.now()) }),
  })
}

function sendHeader(call: Call, context: HandlerContext): void {
  if (!context.responseHeader.keys().next().done) call.sendMetadata(toMetadata(context.responseHeader))
}

function toMetadata(headers: Headers): Metadata {
  return Metadata.fromHttp2Headers(Object.fromEntries(headers))
}

function toServiceError(reason: unknown, context: HandlerContext): ServerErrorResponse {
  // The log interceptor is outermost and lets nothing else through: an error that is not one comes from this adapter itself.
  const error = reason instanceof ConnectError ? reason : internalError('none')
  return Object.assign(new Error(error.rawMessage), {
    code: error.code as number,
    details: error.rawMessage,
    metadata: toErrorTrailer(error, context.responseTrailer),
  })
}

function toErrorTrailer(error: ConnectError, responseTrailer: Headers): Metadata {
  try {
    const trailer = setTrailerStatus(new Headers(responseTrailer), error)
    trailer.delete('grpc-status')
    trailer.delete('grpc-message')
    return toMetadata(trailer)
  } catch {
    // Details that cannot be encoded: the caller still gets code and message.
    return new Metadata()
  }
}

function drained(call: ServerDuplexStream<Message, Message>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    call.once('drain', done)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}
