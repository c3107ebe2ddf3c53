import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import protobuf from 'protobufjs'

/** A part of opentelemetry/proto/collector/trace/v1/trace_service.proto and what it imports, by the same numbers. */
const { root } = protobuf.parse(`
syntax = "proto3";
message Request { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeSpans { repeated Span spans = 2; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; repeated Link links = 13;
  Status status = 15;
}
message Link { bytes trace_id = 1; bytes span_id = 2; }
message Status { string message = 2; int32 code = 3; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
`)
const Request = root.lookupType('Request')

const kinds = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'] as const

export interface CollectedSpan {
  readonly service: string
  readonly traceId: string
  readonly spanId: string
  /** '' of a root. */
  readonly parentId: string
  readonly name: string
  readonly kind: (typeof kinds)[number]
  readonly attributes: Readonly<Record<string, unknown>>
  /** `{trace id}/{span id}` */
  readonly links: readonly string[]
  readonly isError: boolean
}

interface Attributes {
  readonly attributes?: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[]
}

const valuesOf = ({ attributes = [] }: Attributes): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

interface DecodedSpan extends Attributes {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly status?: { readonly code?: number }
}

interface DecodedRequest {
  readonly resourceSpans?: readonly {
    readonly resource: Attributes
    readonly scopeSpans: readonly { readonly spans: readonly DecodedSpan[] }[]
  }[]
}

function spansOf(body: Buffer): CollectedSpan[] {
  const options = { longs: Number, bytes: String, defaults: false }
  const { resourceSpans = [] } = Request.toObject(Request.decode(body), options) as DecodedRequest
  const hex = (text: string | undefined): string => Buffer.from(text ?? '', 'base64').toString('hex')
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        service: String(valuesOf(resource)['service.name']),
        ...{ traceId: hex(span.traceId), spanId: hex(span.spanId), parentId: hex(span.parentSpanId), name: span.name },
        ...{ kind: kinds[span.kind]!, attributes: valuesOf(span), isError: span.status?.code === 2 },
        links: (span.links ?? []).map((link) => `${hex(link.traceId)}/${hex(link.spanId)}`),
      })),
    ),
  )
}

/** Takes spans as an OpenTelemetry collector does: OTLP over HTTP, with protobuf. */
export class TraceCollector implements AsyncDisposable {
  readonly spans: CollectedSpan[] = []
  readonly headers: Record<string, unknown>[] = []
  /** What it does instead of taking them. */
  fault: ((response: ServerResponse) => void) | undefined
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<TraceCollector> {
    const server = createServer()
    const collector = new TraceCollector(server)
    server.on('request', async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      collector.headers.push(request.headers)
      if (collector.fault !== undefined) return collector.fault(response)
      if (request.url === '/v1/traces') collector.spans.push(...spansOf(Buffer.concat(chunks)))
      response.writeHead(request.url === '/v1/traces' ? 200 : 404, { 'content-type': 'application/x-protobuf' }).end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return collector
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/traces`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}
