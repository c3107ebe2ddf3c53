import { createServer, type Server } from 'node:http'
import type { Registry } from 'prom-client'

/** Serves /metrics, /healthz (the process lives) and /readyz (it holds its lease and has reached a control plane). */
export async function startHealthListener(
  address: string,
  registry: Registry,
  notReady: () => readonly string[],
): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
    }
    if (request.url === '/healthz') answer(200, { status: 'live' })
    else if (request.url === '/readyz') {
      const reasons = notReady()
      answer(reasons.length === 0 ? 200 : 503, reasons.length === 0 ? { status: 'ready' } : { status: 'not ready', reasons })
    } else if (request.url === '/metrics') {
      registry.metrics().then(
        (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
        (error: unknown) => answer(500, { error: String(error) }),
      )
    } else answer(404, { error: `nothing at ${request.url}`, paths: ['/healthz', '/readyz', '/metrics'] })
  })
  server.requestTimeout = 5000
  const at = address.lastIndexOf(':')
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(Number(address.slice(at + 1)), address.slice(0, at), resolve)
  })
  return server
}
