import { createServer, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { ConnectRouter } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { runFerry } from './run-ferry.ts'
import { TestTerminal } from './test-terminal.ts'

/**
 * As much of a control plane as the command's own decisions need, over real gRPC. What the real one does has tests of its own, and the lines of
 * docs/cli.md and docs/operations.md run against that.
 */
export class TestServer implements AsyncDisposable {
  readonly address: string
  readonly #server: Http2Server

  private constructor(server: Http2Server) {
    this.#server = server
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async start(routes: (router: ConnectRouter) => void): Promise<TestServer> {
    const server = createServer(connectNodeAdapter({ routes }))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new TestServer(server)
  }

  /** Runs a command line against it, in the namespace `shop`. */
  async ferry(args: string | readonly string[], terminal = new TestTerminal(), env: Readonly<Record<string, string>> = {}) {
    Object.assign(terminal.env, { FERRY_ADDRESS: this.address, FERRY_NAMESPACE: 'shop' }, env)
    const exitCode = await runFerry(typeof args === 'string' ? args.split(' ') : args, terminal)
    return { exitCode, printed: terminal.printed, said: terminal.said, terminal }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
