import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { freePort } from '../../deploy/local/free-port.ts'
import { readFailures, readRecords } from './read-batch.ts'
import { type Behaviour, isSuccess, type Received } from './received.ts'

/** Over all endpoints of this process: a use case may have had several. */
let answers = 0

const nowMs = (): number => performance.timeOrigin + performance.now()

/**
 * The receiving service, in the test's own process. It remembers every request, answers as it is told, and can be taken down and
 * come back on the same port.
 */
export class Endpoint implements AsyncDisposable {
  readonly port: number
  /** Changed at will: it holds for requests that arrive from then on. */
  behaviour: Behaviour
  readonly requests: Received[] = []
  #successes = 0
  #server: Server | undefined

  private constructor(port: number, behaviour: Behaviour) {
    this.port = port
    this.behaviour = behaviour
  }

  static async start(behaviour: Behaviour = () => ({})): Promise<Endpoint> {
    const endpoint = new Endpoint(await freePort(), behaviour)
    await endpoint.goUp()
    return endpoint
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`
  }

  /** Requests that were answered with success. */
  get successes(): number {
    return this.#successes
  }

  /** Records that were answered with success at least once. */
  get delivered(): number {
    return new Set(this.requests.filter(isSuccess).map((each) => `${each.topic}/${each.partition}/${each.offset}`)).size
  }

  /** The same record, without the requests of other use cases. */
  of({ name }: { readonly name: string }): { readonly requests: readonly Received[] } {
    const [, namespace, , id] = name.split('/')
    return { requests: this.requests.filter((each) => each.headers['ferry-use-case'] === `${namespace}/${id}`) }
  }

  async goUp(): Promise<void> {
    const server = createServer((request, response) => this.#take(request, response))
    server.keepAliveTimeout = 60_000
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.port, '127.0.0.1', 4096, resolve)
    })
    this.#server = server
  }

  /** Connections are refused from now on, and those that are open are broken off. */
  async goDown(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.goDown()
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => {})
    response.on('error', () => {})
    request.on('end', () => this.#answer(request, Buffer.concat(chunks).toString(), response))
  }

  #answer(request: IncomingMessage, body: string, response: ServerResponse): void {
    const { method, url, headers } = request
    const open = { arrivedMs: nowMs(), status: 0, begunStatus: 0, answeredMs: 0, answerOrder: -1, isNamed: false, batch: [] }
    const batch: Received[] = readRecords(headers, body).map((each) => ({
      ...each,
      ...{ method: method!, path: url!, headers },
      ...open,
    }))
    for (const each of batch) each.batch = batch
    this.requests.push(...batch)
    const answer = this.behaviour(batch[0]!)
    if (answer === 'HANG') return
    if (answer === 'RESET') {
      request.socket.resetAndDestroy()
      return
    }
    const write = (): void => {
      if (response.destroyed) return
      const status = answer.status ?? 200
      const failures = 'ferry-batch' in headers ? readFailures(status, answer.body) : new Map<number, number>()
      const statusOf = (at: number): number => failures.get(at) ?? status
      for (const [at, each] of batch.entries()) {
        each.begunStatus = statusOf(at)
        each.isNamed = failures.has(at)
      }
      response.once('finish', () => {
        for (const [at, each] of batch.entries()) this.#answered(each, statusOf(at))
      })
      response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers })
      response.end(answer.body ?? '{}')
    }
    if (answer.delayMs === undefined) write()
    else setTimeout(write, answer.delayMs)
  }

  #answered(received: Received, status: number): void {
    received.status = status
    received.answeredMs = nowMs()
    received.answerOrder = answers++
    if (isSuccess(received)) this.#successes++
  }
}
