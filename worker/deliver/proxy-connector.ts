import type { Duplex } from 'node:stream'
import { buildConnector, Client } from 'undici'
import type { EgressRules } from '../../runtime/egress-rules.ts'
import type { ProxyTarget } from './compile-proxy.ts'
import type { TlsOptions } from './compile-tls.ts'
import { EgressError, endedByItsError, guardedConnector } from './egress-guard.ts'

/** The proxy answers, and opens no tunnel. */
class ProxyError extends Error {
  override readonly name = 'ProxyError'
  readonly code = 'FERRY_PROXY_REFUSED'
}

const HEADER_BYTES_MAX = 16 * 1024

/**
 * Opens connections through a proxy, by a tunnel of their own each. The rules hold for the address of the proxy; of the endpoint's host they
 * see what its name says, an address or localhost, because the proxy resolves it. The tunnel, and TLS through it, have the timeout each.
 */
export function proxyConnector(
  rules: EgressRules,
  { origin, authorization }: ProxyTarget,
  timeoutMs: number,
  tls: TlsOptions,
): buildConnector.connector {
  const toProxy = guardedConnector(rules, { timeout: timeoutMs })
  const secure = buildConnector({ timeout: timeoutMs, ...tls })
  const headers = authorization === undefined ? {} : { 'proxy-authorization': authorization }
  const open = async (path: string): Promise<Duplex> => {
    const client = new Client(origin, { connect: toProxy, maxHeaderSize: HEADER_BYTES_MAX })
    try {
      const { statusCode, socket } = await client.connect({ path, headers, signal: AbortSignal.timeout(timeoutMs) })
      if (statusCode >= 200 && statusCode <= 299) return socket
      socket.on('error', () => {}).destroy()
      throw new ProxyError(`the proxy ${origin} answered ${statusCode} and opened no tunnel`)
    } catch (error) {
      throw byProxy(origin, error, timeoutMs)
    } finally {
      // A tunnel that is open is no longer the client's.
      void client.destroy().catch(() => {})
    }
  }
  return (asked, callback) => {
    const problem = rules.hostProblem(asked.hostname)
    if (problem !== undefined) {
      setImmediate(() => callback(new EgressError(problem), null))
      return
    }
    const port = asked.port || (asked.protocol === 'https:' ? '443' : '80')
    open(`${asked.hostname}:${port}`).then(
      (socket) => {
        if (asked.protocol === 'https:')
          secure({ ...asked, httpSocket: socket as never }, (...result) => callback(...endedByItsError(result)))
        else callback(null, socket as never)
      },
      (error: Error) => callback(error, null),
    )
  }
}

/** The same failure, with what it is a failure of. What the guard has refused stays what it is. */
function byProxy(origin: string, error: unknown, timeoutMs: number): Error {
  if (error instanceof EgressError || error instanceof ProxyError) return error
  const { name, message, code, syscall } = firstOf(error)
  if (name === 'TimeoutError')
    return Object.assign(new Error(`the proxy ${origin} opened no tunnel within ${timeoutMs} ms`), {
      code: 'UND_ERR_CONNECT_TIMEOUT',
    })
  // With undici's own code of a broken connection it would try again and again, for ever.
  const own = code === undefined || code.startsWith('UND_ERR_') ? 'FERRY_PROXY_FAILED' : code
  return Object.assign(new Error(`the proxy ${origin}: ${message}`), { code: own, syscall })
}

interface Facts {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly syscall?: string
}

/** All addresses of the proxy failed: the first is as good as any. */
const firstOf = (error: unknown): Facts => (error instanceof AggregateError ? (error.errors[0] as Facts) : (error as Facts))
