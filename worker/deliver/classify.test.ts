import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import fc from 'fast-check'
import { Client, errors } from 'undici'
import { afterEach, describe, expect, test } from 'vitest'
import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { selfSignedCertificate } from '../../runtime/sample-certificate.ts'
import { classifyError, type Failure } from './classify.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** Listens on a free port; answers the port. */
async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as { port: number }).port
}

/** A server that does this when the first bytes of a request are there. */
const answering = (answer: (socket: Socket) => void): Promise<number> =>
  listen(createServer((socket) => socket.once('data', () => answer(socket))))

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** Sends one request and says how its error is classified. */
async function failureOf(origin: string, options: Client.Options = {}, during?: (client: Client) => void): Promise<Failure> {
  const client = new Client(origin, options)
  closers.push(() => client.destroy())
  const error = await new Promise<unknown>((resolve, reject) => {
    client.dispatch(
      { path: '/', method: 'POST', body: Buffer.from('{}') },
      {
        onRequestStart: () => during?.(client),
        onResponseStart: () => {},
        onResponseData: () => {},
        onResponseEnd: () => reject(new Error('there was a whole answer')),
        onResponseError: (_controller, failed) => resolve(failed),
      },
    )
  })
  return classifyError(error)
}

const head = 'HTTP/1.1 200 OK\r\n'

describe('no connection', () => {
  test('a refused connection', async () => {
    const port = await freePort()
    expect(await failureOf(`http://127.0.0.1:${port}`)).toEqual({
      reason: Reason.CONNECTION_FAILED,
      text: `connect ECONNREFUSED 127.0.0.1:${port}`,
    })
  })

  test('a host of which every address refuses', async () => {
    const port = await freePort()
    const addresses = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }))
    const failure = await failureOf(`http://endpoint.example:${port}`, {
      connect: { lookup: (_host, _options, done) => done(null, addresses) },
    })
    expect(failure).toEqual({
      reason: Reason.CONNECTION_FAILED,
      text: `connect ECONNREFUSED 127.0.0.1:${port}; connect ECONNREFUSED 127.0.0.2:${port}`,
    })
  })

  test('a peer that takes connections and never agrees on TLS within connect_timeout', async () => {
    const port = await listen(createServer())
    const failure = await failureOf(`https://127.0.0.1:${port}`, { connectTimeout: 50 })
    expect(failure.reason).toBe(Reason.CONNECTION_FAILED)
    expect(failure.text).toMatch(/^Connect Timeout Error \(attempted address: 127\.0\.0\.1:\d+, timeout: 50ms\)/)
  })

  test('a name that does not resolve', async () => {
    const failure = await failureOf('http://nonexistent.invalid')
    expect(failure.reason).toBe(Reason.DNS_FAILED)
    expect(failure.text).toMatch(/^getaddrinfo (ENOTFOUND|EAI_AGAIN) nonexistent\.invalid$/)
  })
})

describe('TLS', () => {
  const dayMs = 86_400_000
  const serve = async (certificate: { key: string; cert: string }): Promise<number> => listen(createTlsServer(certificate))

  test('to a port that speaks plain HTTP', async () => {
    const port = await answering((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    expect(await failureOf(`https://127.0.0.1:${port}`)).toEqual({
      reason: Reason.TLS_FAILED,
      text: 'wrong version number (ERR_SSL_WRONG_VERSION_NUMBER)',
    })
  })

  test('a self-signed certificate', async () => {
    const port = await serve(selfSignedCertificate('127.0.0.1', Date.now() + dayMs / 2))
    expect(await failureOf(`https://127.0.0.1:${port}`)).toEqual({
      reason: Reason.TLS_FAILED,
      text: 'self-signed certificate (DEPTH_ZERO_SELF_SIGNED_CERT)',
    })
  })

  test('a certificate that is trusted and expired, or made for another host', async () => {
    const expired = selfSignedCertificate('127.0.0.1', Date.now() - dayMs)
    const old = await failureOf(`https://127.0.0.1:${await serve(expired)}`, { connect: { ca: expired.cert } })
    expect(old).toEqual({ reason: Reason.TLS_FAILED, text: 'certificate has expired (CERT_HAS_EXPIRED)' })
    const other = selfSignedCertificate('other.example', Date.now() + dayMs / 2)
    const wrong = await failureOf(`https://localhost:${await serve(other)}`, { connect: { ca: other.cert } })
    expect(wrong.reason).toBe(Reason.TLS_FAILED)
    expect(wrong.text).toMatch(/does not match.*\(ERR_TLS_CERT_ALTNAME_INVALID\)$/)
  })

  test('a peer that hangs up during the handshake', async () => {
    const port = await answering((socket) => socket.end())
    expect((await failureOf(`https://127.0.0.1:${port}`)).reason).toBe(Reason.TLS_FAILED)
  })
})

describe('a connection that breaks', () => {
  const breaks: [string, (socket: Socket) => void][] = [
    ['reset before an answer', (socket) => socket.resetAndDestroy()],
    ['closed before an answer', (socket) => socket.end()],
    ['closed in the middle of the headers', (socket) => socket.end(`${head}content-`)],
    ['closed in the middle of a body', (socket) => socket.end(`${head}content-length: 9\r\n\r\nabc`)],
    ['closed in the middle of a chunk', (socket) => socket.end(`${head}transfer-encoding: chunked\r\n\r\n5\r\nab`)],
    ['closed in the middle of the last body', (socket) => socket.end(`${head}connection: close\r\ncontent-length: 9\r\n\r\nabc`)],
    [
      'closed in the middle of the last chunk',
      (socket) => socket.end(`${head}connection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab`),
    ],
    [
      'reset in the middle of a body',
      (socket) => socket.write(`${head}content-length: 9\r\n\r\nabc`, () => socket.resetAndDestroy()),
    ],
  ]
  test.each(breaks)('%s', async (_name, answer) => {
    const failure = await failureOf(`http://127.0.0.1:${await answering(answer)}`)
    expect(failure.reason).toBe(Reason.CONNECTION_RESET)
    expect(failure.text).not.toBe('')
  })
})

describe('an answer that is not one', () => {
  const answers: [string, string][] = [
    ['another protocol', 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['a bad chunk', `${head}transfer-encoding: chunked\r\n\r\nzz\r\nab`],
    ['two lengths', `${head}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n`],
    ['headers without end', `${head}x: ${'a'.repeat(100_000)}\r\n\r\n`],
    ['another protocol in place of HTTP', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'],
    ['a 100 that was not asked for', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['an impossible status', 'HTTP/1.1 099 What\r\ncontent-length: 0\r\n\r\n'],
    ['TLS', '\x15\x03\x03\x00\x02\x02\x28'],
  ]
  test.each(answers)('%s', async (_name, answer) => {
    const port = await answering((socket) => socket.end(answer, 'latin1'))
    const failure = await failureOf(`http://127.0.0.1:${port}`)
    expect(failure.reason).toBe(Reason.INVALID_RESPONSE)
    expect(failure.text).toMatch(/^[\x20-\x7e]+$/)
  })

  test('a body that is too large', async () => {
    const port = await answering((socket) => socket.write(`${head}\r\n${'x'.repeat(5000)}`))
    expect((await failureOf(`http://127.0.0.1:${port}`, { maxResponseSize: 1000 })).reason).toBe(Reason.INVALID_RESPONSE)
  })
})

describe('an answer that does not come in time', () => {
  test('no headers', async () => {
    const port = await answering(() => {})
    expect((await failureOf(`http://127.0.0.1:${port}`, { headersTimeout: 50 })).reason).toBe(Reason.TIMEOUT)
  })

  test('a body without end', async () => {
    const port = await answering((socket) => socket.write(`${head}content-length: 9\r\n\r\nabc`))
    expect((await failureOf(`http://127.0.0.1:${port}`, { bodyTimeout: 50 })).reason).toBe(Reason.TIMEOUT)
  })
})

test('a request that Ferry gave up', async () => {
  const port = await answering(() => {})
  const failure = await failureOf(`http://127.0.0.1:${port}`, {}, (client) => client.destroy())
  expect(failure.reason).toBe(Reason.ABORTED)
  expect(classifyError(new errors.RequestAbortedError()).reason).toBe(Reason.ABORTED)
  expect(classifyError(new DOMException('too slow', 'TimeoutError')).reason).toBe(Reason.TIMEOUT)
})

describe('errors that a small server cannot make', () => {
  const system = (code: string, syscall: string): Error => Object.assign(new Error(`${syscall} ${code}`), { code, syscall })

  test('the same code means no connection while connecting and a broken one afterwards', () => {
    for (const code of ['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ECONNRESET', 'EADDRNOTAVAIL']) {
      expect(classifyError(system(code, 'connect')).reason).toBe(Reason.CONNECTION_FAILED)
      expect(classifyError(system(code, 'read')).reason).toBe(Reason.CONNECTION_RESET)
    }
    expect(classifyError(system('EPIPE', 'write')).reason).toBe(Reason.CONNECTION_RESET)
    expect(classifyError(system('EAI_FAIL', 'getaddrinfo')).reason).toBe(Reason.DNS_FAILED)
  })

  test('certificate checks of OpenSSL', () => {
    for (const code of [
      'CERT_REVOKED',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'SELF_SIGNED_CERT_IN_CHAIN',
      'INVALID_PURPOSE',
      'EPROTO',
    ])
      expect(classifyError(Object.assign(new Error('x'), { code })).reason).toBe(Reason.TLS_FAILED)
  })

  test('an error behind an error, also when it is its own cause', () => {
    const outer = new TypeError('fetch failed', { cause: system('ENOTFOUND', 'getaddrinfo') })
    expect(classifyError(outer)).toEqual({ reason: Reason.DNS_FAILED, text: 'getaddrinfo ENOTFOUND' })
    const round = new Error('round')
    round.cause = round
    expect(classifyError(round)).toEqual({ reason: Reason.CONNECTION_RESET, text: 'round' })
  })
})

test('whatever is thrown, the text is one short line without user and password', () => {
  const message = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string().map((each) => `at https://me:s3cret@host/${each}`),
  )
  const codes = fc.constantFrom(undefined, 'ECONNRESET', 'ERR_SSL_X', 'UND_ERR_SOCKET', 7, 'constructor', '__proto__')
  const thrown = fc.record({ message, code: codes, name: fc.constantFrom('Error', 'toString'), reason: message })
  fc.assert(
    fc.property(fc.oneof(thrown, fc.anything(), fc.record({ errors: fc.array(thrown) })), (error) => {
      const { reason, text } = classifyError(error)
      expect(reason).toBeGreaterThan(0)
      expect(text.length).toBeGreaterThan(0)
      expect(text.length).toBeLessThanOrEqual(200)
      expect(text).not.toMatch(/[\p{Cc}]|s3cret/u)
    }),
  )
})
