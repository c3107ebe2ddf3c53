import { Code, ConnectError, type Interceptor } from '@connectrpc/connect'
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { readTraceContext } from '../../runtime/trace-context.ts'
import { spanContextOf, type Tracing } from '../../runtime/tracing/tracing.ts'
import { codeName } from './log-request.ts'

/** Failures of the server, by the conventions for gRPC; all others are its caller's. */
const serverFailures: ReadonlySet<Code> = new Set([
  ...[Code.Unknown, Code.DeadlineExceeded, Code.Unimplemented, Code.Internal, Code.Unavailable, Code.DataLoss],
])

/** A span for each call that is to be recorded, by the conventions for RPC. Streams have none: they last for hours. */
export function traceCalls(tracing: Tracing): Interceptor {
  return (next) => async (request) => {
    if (request.stream) return next(request)
    const { typeName } = request.service
    const header = (name: string): string | undefined => request.header.get(name) ?? undefined
    const given = readTraceContext({ traceparent: header('traceparent'), tracestate: header('tracestate') })
    const span = tracing.start({
      name: `${typeName}/${request.method.name}`,
      kind: SpanKind.SERVER,
      attributes: { 'rpc.system': 'grpc', 'rpc.service': typeName, 'rpc.method': request.method.name },
      parent: given === undefined ? undefined : spanContextOf(given.traceparent, given.tracestate),
    })
    if (span === undefined) return next(request)
    try {
      const response = await next(request)
      span.setAttribute('rpc.grpc.status_code', 0)
      return response
    } catch (error) {
      const { code } = ConnectError.from(error)
      span.setAttributes({ 'rpc.grpc.status_code': code, 'error.type': codeName(code) })
      if (serverFailures.has(code)) span.setStatus({ code: SpanStatusCode.ERROR, message: codeName(code) })
      throw error
    } finally {
      span.end()
    }
  }
}
