import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A schema as the registry has it. */
export interface SampleSchema {
  readonly schema: string
  /** Of protobuf: the FileDescriptorProto in base64; without it the registry knows no serialized form. */
  readonly serialized?: string
  readonly schemaType?: string
  readonly references?: readonly { readonly name: string; readonly subject: string; readonly version: number }[]
}

/** For tests: a schema registry by the HTTP API of Confluent's, as far as schemas are read. */
export class SampleRegistry implements AsyncDisposable {
  readonly ids = new Map<number, SampleSchema>()
  /** By `subject/version`. */
  readonly versions = new Map<string, SampleSchema>()
  /** Paths with query, as they were asked for. */
  readonly requests: string[] = []
  /** Headers of the last request. */
  headers: IncomingMessage['headers'] = {}
  /** In place of an answer. */
  fault: ((response: ServerResponse) => void) | undefined
  readonly #server: Server = createServer((request, response) => this.#answer(request, response))
  #port = 0

  static async start(): Promise<SampleRegistry> {
    const registry = new SampleRegistry()
    await registry.up()
    return registry
  }

  /** Listens, at the same port as before. */
  async up(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  async down(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(request.url!)
    this.headers = request.headers
    if (this.fault !== undefined) this.fault(response)
    else {
      const { status, body } = this.#replyTo(new URL(request.url!, this.url))
      response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' }).end(JSON.stringify(body))
    }
  }

  #replyTo({ pathname, searchParams }: URL): Reply {
    const isSerialized = searchParams.get('format') === 'serialized'
    const byId = /\/schemas\/ids\/(\d+)$/.exec(pathname)
    if (byId !== null) return replyWith(this.ids.get(Number(byId[1])), 40403, isSerialized)
    const byVersion = /\/subjects\/([^/]+)\/versions\/(\d+)$/.exec(pathname)
    if (byVersion === null) return { status: 404, body: { error_code: 404, message: 'HTTP 404 Not Found' } }
    return replyWith(this.versions.get(`${decodeURIComponent(byVersion[1]!)}/${byVersion[2]}`), 40402, isSerialized)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.down()
  }
}

interface Reply {
  readonly status: number
  readonly body: unknown
}

function replyWith(found: SampleSchema | undefined, notFound: number, isSerialized: boolean): Reply {
  if (found === undefined) return { status: 404, body: { error_code: notFound, message: 'not found' } }
  const { serialized, schema, ...more } = found
  if (!isSerialized) return { status: 200, body: { schema, ...more } }
  if (serialized === undefined) return { status: 501, body: { error_code: 501, message: 'Not implemented' } }
  return { status: 200, body: { schema: serialized, ...more } }
}
