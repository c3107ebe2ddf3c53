import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * Below 32768, where Linux takes the local ports of outgoing connections from: a port of ours that is closed for a moment
 * (a part is killed and comes back) cannot be taken by a client, nor can a client that knocks at it connect to itself.
 */
const firstPort = 17_000
const lastPort = 32_000
const triesMax = 100

/** Whether a server may listen on this loopback port now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** A random free port. Another process may take it before it is used: start again with another one then. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = randomInt(firstPort, lastPort)
    if (await isPortFree(port)) return port
  }
  throw new Error(`found no free port from ${firstPort} to ${lastPort} in ${triesMax} tries`)
}
