import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { gzipSync } from 'node:zlib'

/** What an endpoint does to a request that has arrived whole. `repeat` goes on until the connection ends. */
type Fault = (socket: Socket, repeat: (everyMs: number, write: () => void) => void) => void

const OK = 'HTTP/1.1 200 OK\r\n'
const GOOD = `${OK}content-length: 4\r\n\r\ngood`
let bomb: Buffer | undefined
const block = 'x'.repeat(65_536)

/** Writes as fast as the other side takes it, without end. */
function flood(socket: Socket, text: string): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(text, 'latin1'));
  }
  socket.on('drain', more)
  more()
}

const answer =
  (text: string): Fault =>
  (socket) =>
    void socket.write(text, 'latin1')

const answerAndEnd =
  (text: string): Fault =>
  (socket) =>
    void socket.end(text, 'latin1')

const answerAndReset =
  (text: string): Fault =>
  (socket) =>
    void socket.write(text, 'latin1', () => setTimeout(() => socket.resetAndDestroy(), 10))

/** By the last part of the URL's path. */
export const faults: Readonly<Record<string, Fault>> = {
  good: answer(GOOD),
  // Time.
  'never-answers': () => {},
  'slow-headers': (socket, repeat) => {
    socket.write(`${OK}x-slow: `)
    repeat(5, () => socket.write('a'))
  },
  'slow-body': (socket, repeat) => {
    socket.write(`${OK}content-length: 100000\r\n\r\n`)
    repeat(5, () => socket.write('a'))
  },
  'slow-chunks': (socket, repeat) => {
    socket.write(`${OK}transfer-encoding: chunked\r\n\r\n`)
    repeat(5, () => socket.write('1\r\na\r\n'))
  },
  'interim-answers-for-ever': (socket, repeat) => repeat(1, () => socket.write('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n')),
  // Amount.
  'endless-body': (socket) => {
    socket.write(`${OK}\r\n`)
    flood(socket, block)
  },
  'endless-chunks': (socket) => {
    socket.write(`${OK}transfer-encoding: chunked\r\n\r\n`)
    flood(socket, `10000\r\n${block}\r\n`)
  },
  'endless-headers': (socket) => {
    socket.write(OK)
    flood(socket, `x: ${'a'.repeat(1000)}\r\n`)
  },
  'huge-header': answer(`${OK}x: ${'a'.repeat(200_000)}\r\ncontent-length: 0\r\n\r\n`),
  'endless-trailers': (socket) => {
    socket.write(`${OK}transfer-encoding: chunked\r\n\r\n0\r\n`)
    flood(socket, `x: ${'a'.repeat(1000)}\r\n`)
  },
  'interim-answers-flood': (socket) => flood(socket, 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'.repeat(1000)),
  'chunk-extension-flood': (socket) => {
    socket.write(`${OK}transfer-encoding: chunked\r\n\r\n1;`)
    flood(socket, block)
  },
  'gzip-bomb': (socket) => {
    bomb ??= gzipSync(Buffer.alloc(20 << 20))
    socket.write(`${OK}content-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`)
    socket.write(bomb)
  },
  // Breaks.
  'reset-before-the-answer': (socket) => void socket.resetAndDestroy(),
  'reset-in-the-status-line': answerAndReset('HTTP/1.1 20'),
  'reset-in-the-headers': answerAndReset(`${OK}content-le`),
  'reset-in-the-body': answerAndReset(`${OK}content-length: 10\r\n\r\nabc`),
  'closed-before-the-answer': answerAndEnd(''),
  'closed-in-the-headers': answerAndEnd(`${OK}content-le`),
  'closed-in-the-body': answerAndEnd(`${OK}content-length: 10\r\n\r\nabc`),
  'closed-in-a-chunk': answerAndEnd(`${OK}transfer-encoding: chunked\r\n\r\na\r\nabc`),
  'body-until-the-end': answerAndEnd(`${OK}\r\nall of it`),
  // Shape.
  'an-interim-answer': answer(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${GOOD}`),
  'continue-unasked': answer(`HTTP/1.1 100 Continue\r\n\r\n${GOOD}`),
  'switching-protocols': answer('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
  'no-content-with-a-body': answer('HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello'),
  'no-content-with-bytes-after-it': answer('HTTP/1.1 204 No Content\r\n\r\nhello'),
  'two-answers': answer(GOOD + GOOD.replace('good', 'evil')),
  'chunk-size-garbage': answer(`${OK}transfer-encoding: chunked\r\n\r\nzz\r\nab\r\n`),
  'chunk-size-overflow': answer(`${OK}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nab\r\n`),
  'chunk-without-line-end': answer(`${OK}transfer-encoding: chunked\r\n\r\n2\r\nabcd`),
  'length-and-chunks': answer(`${OK}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n`),
  'two-lengths': answer(`${OK}content-length: 4\r\ncontent-length: 5\r\n\r\ngood`),
  'negative-length': answer(`${OK}content-length: -1\r\n\r\n`),
  'line-end-in-a-header': answer(`${OK}x: a\rb\r\ncontent-length: 0\r\n\r\n`),
  'an-impossible-status': answer('HTTP/1.1 099 What\r\ncontent-length: 0\r\n\r\n'),
  'another-protocol': answer('SSH-2.0-OpenSSH_9.9\r\n'),
  'tls-in-place-of-http': answer('\x15\x03\x03\x00\x02\x02\x28'),
  // Statuses.
  'a-redirect-loop': answer('HTTP/1.1 302 Found\r\nlocation: /a-redirect-loop\r\ncontent-length: 0\r\n\r\n'),
  'too-many-requests': answer('HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n'),
}

/** An endpoint that does to each request what its URL says, by raw sockets. */
export class HostileEndpoint implements AsyncDisposable {
  /** By fault, requests that have arrived. */
  readonly arrived = new Map<string, number>()
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor() {
    this.#server = createServer((socket) => this.#take(socket))
  }

  static async start(): Promise<HostileEndpoint> {
    const endpoint = new HostileEndpoint()
    endpoint.#server.listen(0, '127.0.0.1')
    await once(endpoint.#server, 'listening')
    return endpoint
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  #take(socket: Socket): void {
    this.#sockets.add(socket)
    const timers: NodeJS.Timeout[] = []
    socket.on('close', () => {
      this.#sockets.delete(socket)
      for (const each of timers) clearInterval(each)
    })
    socket.on('error', () => {})
    let read = ''
    socket.on('data', (chunk) => {
      read += chunk.toString('latin1')
      for (;;) {
        const [, path, length] = /^\w+ \/(\S*) .*?\r\ncontent-length: (\d+)\r\n/is.exec(read) ?? []
        const end = read.indexOf('\r\n\r\n') + 4 + Number(length ?? 0)
        if (path === undefined || end < 4 || read.length < end) return
        read = read.slice(end)
        this.arrived.set(path, (this.arrived.get(path) ?? 0) + 1)
        faults[path]!(socket, (everyMs, write) => timers.push(setInterval(write, everyMs)))
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}

const threadName = 'hostile-endpoint'

/** The same in a thread of its own, so that what it does costs nobody here any time. */
export async function hostileThread(): Promise<{ readonly origin: string } & AsyncDisposable> {
  const thread = new Worker(new URL(import.meta.url), { workerData: threadName })
  const [origin] = await once(thread, 'message')
  return { origin, [Symbol.asyncDispose]: async () => void (await thread.terminate()) }
}

if (!isMainThread && workerData === threadName) parentPort!.postMessage((await HostileEndpoint.start()).origin)
