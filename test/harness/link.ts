import { createServer, type Server, type Socket, connect as tcpConnect } from 'node:net'
import { freePort } from '../../deploy/local/free-port.ts'

/**
 * PASS: bytes go through. STALL: none do, in neither direction, and connections stay: as a network that drops packets, what was sent
 * arrives after all once it heals. STALL_ANSWERS: requests go through, answers do not. REFUSE: connections are broken off, new ones too.
 */
export type LinkState = 'PASS' | 'STALL' | 'STALL_ANSWERS' | 'REFUSE'

interface Pair {
  readonly near: Socket
  readonly far: Socket
}

/** A TCP connection between two parts that can be disturbed: a port of its own that leads to another. */
export class Link implements AsyncDisposable {
  readonly port: number
  /** Milliseconds that each piece waits, in each direction. */
  delayMs = 0
  readonly #server: Server
  readonly #targetPort: () => number
  readonly #pairs = new Set<Pair>()
  #state: LinkState = 'PASS'

  private constructor(server: Server, port: number, targetPort: () => number) {
    this.#server = server
    this.port = port
    this.#targetPort = targetPort
    server.on('connection', (near) => this.#connect(near))
  }

  /** targetPort is asked at every connection: one that gives several in turn makes a balancer. */
  static async open(targetPort: () => number): Promise<Link> {
    const port = await freePort()
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
    return new Link(server, port, targetPort)
  }

  get state(): LinkState {
    return this.#state
  }

  set state(state: LinkState) {
    this.#state = state
    if (state === 'REFUSE') this.cut()
    else for (const pair of this.#pairs) this.#apply(pair)
  }

  /** Breaks off the connections of now; new ones are as the state says. What was on its way is lost. */
  cut(): void {
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy()
      far.resetAndDestroy()
    }
    this.#pairs.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.cut()
  }

  #connect(near: Socket): void {
    if (this.#state === 'REFUSE') {
      near.on('error', () => {})
      near.resetAndDestroy()
      return
    }
    const far = tcpConnect({ port: this.#targetPort(), host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const pair = { near, far }
    this.#pairs.add(pair)
    this.#carry(near, far, pair)
    this.#carry(far, near, pair)
    this.#apply(pair)
  }

  #carry(from: Socket, to: Socket, pair: Pair): void {
    const later = (act: () => void): void => {
      if (this.delayMs > 0) setTimeout(act, this.delayMs)
      else act()
    }
    from.on('data', (chunk) => later(() => to.writable && to.write(chunk)))
    from.on('end', () => later(() => to.end()))
    from.on('error', () => to.destroy())
    from.on('close', () => {
      this.#pairs.delete(pair)
      if (from.errored) to.destroy()
    })
  }

  #apply({ near, far }: Pair): void {
    if (this.#state === 'STALL') near.pause()
    else near.resume()
    if (this.#state === 'PASS') far.resume()
    else far.pause()
  }
}
