import type { IncomingMessage, ServerResponse } from 'node:http'

export type Probes = {
  /** A prom-client registry. */
  readonly registry: { readonly contentType: string; metrics(): Promise<string> }
  /** Why the process cannot serve now; none when it can. */
  readonly ready: () => readonly string[]
}

export function answerJson(response: ServerResponse, status: number, body: object): void {
  const text = `${JSON.stringify(body)}\n`
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'x-content-type-options': 'nosniff',
  }
  response.writeHead(status, headers)
  response.end(text)
}

/** Answers /healthz, /readyz and /metrics; false for any other path. */
export function answerProbe(
  { registry, ready }: Probes,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  if (path !== '/healthz' && path !== '/readyz' && path !== '/metrics') return false
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD')
    answerJson(response, 405, { code: 'unimplemented', message: `read ${path} by GET` })
  } else if (path === '/healthz') answerJson(response, 200, { live: true })
  else if (path === '/readyz') {
    const reasons = ready()
    answerJson(response, reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons })
  } else answerMetrics(registry, response)
  return true
}

function answerMetrics(registry: Probes['registry'], response: ServerResponse): void {
  registry.metrics().then(
    (text) => {
      response.writeHead(200, { 'content-type': registry.contentType })
      response.end(text)
    },
    (reason: unknown) =>
      answerJson(response, 500, { code: 'internal', message: `a metric could not be read: ${String(reason)}` }),
  )
}
