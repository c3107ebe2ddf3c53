import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import net, { type AddressInfo, type Socket } from 'node:net'
import { create } from '@bufbuild/protobuf'
import { afterEach, describe, expect, test } from 'vitest'
import { TlsSchema } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { HttpProxySchema } from '../../proto/gen/ferry/v1/proxy_pb.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { sampleCertificate, selfSignedCertificate } from '../../runtime/sample-certificate.ts'
import { classifyError } from './classify.ts'
import { compileProxy } from './compile-proxy.ts'
import { compileTls } from './compile-tls.ts'
import { Flight, type Target } from './flight.ts'
import { proxyConnector } from './proxy-connector.ts'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

async function listen(server: net.Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  closing.push(() => {
    server.close()
    for (const each of sockets) each.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const endpointPort = (): Promise<number> =>
  listen(http.createServer((request, response) => void request.resume().on('end', () => response.end('done'))))

/** What a proxy was asked for. */
interface Asked {
  readonly path: string | undefined
  readonly authorization: string | undefined
}

/** A proxy that resolves every host to this machine; `answer` in place of a tunnel. */
async function startProxy(answer?: string) {
  const asked: Asked[] = []
  const server = http.createServer()
  server.on('connect', (request: http.IncomingMessage, socket: Socket) => {
    asked.push({ path: request.url, authorization: request.headers['proxy-authorization'] })
    socket.on('error', () => {})
    if (answer !== undefined) {
      if (answer !== '') socket.end(answer)
      return
    }
    const through = net.connect(Number(request.url!.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      through.pipe(socket).pipe(through)
    })
    through.on('error', () => socket.destroy())
  })
  return { url: `http://127.0.0.1:${await listen(server)}`, asked }
}

interface Options {
  readonly allow?: string
  readonly ca?: string
  readonly username?: string
  readonly timeoutMs?: number
}

function slot(origin: string, proxyUrl: string, { allow = 'loopback', ca, username = '', timeoutMs = 2000 }: Options = {}) {
  const given = { url: proxyUrl, username, ...(username !== '' && { password: { value: 'hunter2' } }) }
  const proxy = compileProxy('proxy', create(HttpProxySchema, given))!
  const tls = compileTls('tls', ca === undefined ? undefined : create(TlsSchema, { caCertificates: ca }))
  const target: Target = {
    ...{ origin, path: '/', method: 'POST', requestTimeoutMs: 5000, responseBodyBytesMax: 100 },
    connect: proxyConnector(readEgressRules(allow), proxy, timeoutMs, tls),
  }
  let land: (flight: Flight<string>) => void = () => {}
  const flight = new Flight<string>(
    target,
    '',
    (each) => land(each),
    () => true,
  )
  closing.push(() => flight.close())
  return async () => {
    const landed = new Promise<Flight<string>>((done) => {
      land = done
    })
    flight.send(target, [], Buffer.from('1'), performance.now())
    const { status, error, responseBody } = await landed
    return status === 0 ? classifyError(error) : `${status} ${responseBody}`
  }
}

describe('through a proxy', () => {
  test('requests of one slot share a tunnel; the name is the proxy’s to resolve', async () => {
    const port = await endpointPort()
    const proxy = await startProxy()
    const send = slot(`http://orders.example:${port}`, proxy.url)
    expect([await send(), await send()]).toEqual(['200 done', '200 done'])
    expect(proxy.asked).toEqual([{ path: `orders.example:${port}`, authorization: undefined }])
  })

  test('TLS is between Ferry and the endpoint, checked by the endpoint’s name', async () => {
    const ca = selfSignedCertificate('a ca', Date.now() + 43_200_000)
    const own = sampleCertificate('orders.example', Date.now() + 43_200_000, ca)
    const port = await listen(
      https.createServer(own, (request, response) => void request.resume().on('end', () => response.end('safe'))),
    )
    const proxy = await startProxy()
    expect(await slot(`https://orders.example:${port}`, proxy.url, { ca: ca.cert })()).toBe('200 safe')
    expect(await slot(`https://other.example:${port}`, proxy.url, { ca: ca.cert })()).toMatchObject({
      ...{ reason: Reason.TLS_FAILED, text: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID') },
    })
    expect(await slot(`https://orders.example:${port}`, proxy.url)()).toMatchObject({ reason: Reason.TLS_FAILED })
  })

  test('credentials go to the proxy, and to nobody else', async () => {
    let seen: http.IncomingHttpHeaders = {}
    const port = await listen(
      http.createServer((request, response) => {
        seen = request.headers
        request.resume().on('end', () => response.end())
      }),
    )
    const proxy = await startProxy()
    expect(await slot(`http://orders.example:${port}`, proxy.url, { username: 'ferry' })()).toBe('200 ')
    expect(proxy.asked[0]!.authorization).toBe(`Basic ${Buffer.from('ferry:hunter2').toString('base64')}`)
    expect(seen).not.toHaveProperty('proxy-authorization')
  })
})

describe('why there is no tunnel', () => {
  test.each([
    [
      'HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n',
      /answered 407 and opened no tunnel \(FERRY_PROXY_REFUSED\)$/,
    ],
    ['HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\n\r\nbad', /answered 502/],
    ['HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n', /answered 302/],
  ])('%s', async (answer, text) => {
    const proxy = await startProxy(answer)
    const failure = await slot('https://orders.example', proxy.url, { username: 'ferry' })()
    expect(failure).toEqual({ reason: Reason.CONNECTION_FAILED, text: expect.stringMatching(text) })
    expect(JSON.stringify(failure)).not.toContain('hunter2')
  })

  test('a proxy that does not answer, or is not there, is named', async () => {
    const silent = await startProxy('')
    expect(await slot('https://orders.example', silent.url, { timeoutMs: 50 })()).toEqual({
      ...{
        reason: Reason.CONNECTION_FAILED,
        text: `the proxy ${silent.url} opened no tunnel within 50 ms (UND_ERR_CONNECT_TIMEOUT)`,
      },
    })
    expect(await slot('https://orders.example', 'http://127.0.0.1:1')()).toEqual({
      ...{ reason: Reason.CONNECTION_FAILED, text: expect.stringMatching(/^the proxy http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/) },
    })
  })

  test.each([
    ['closes', ''],
    ['speaks no HTTP', 'hello\r\n\r\n'],
    ['sends headers without end', `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(20_000)}`],
  ])('a proxy that %s is asked once', async (_what, answer) => {
    let asked = 0
    const server = net.createServer((socket) => {
      asked++
      socket.on('error', () => {}).once('data', () => socket.end(answer))
    })
    const port = await listen(server)
    const failure = await slot('https://orders.example', `http://127.0.0.1:${port}`)()
    expect(failure).toEqual({
      ...{ reason: Reason.CONNECTION_FAILED, text: expect.stringMatching(/^the proxy http.*FERRY_PROXY_FAILED\)$/) },
    })
    expect(asked).toBe(1)
  })
})

describe('the egress guard', () => {
  test('holds for the proxy’s address', async () => {
    const proxy = await startProxy()
    expect(await slot('https://orders.example', proxy.url, { allow: '' })()).toMatchObject({
      ...{ reason: Reason.ENDPOINT_BLOCKED, text: expect.stringMatching(/127\.0\.0\.1 is loopback/) },
    })
    expect(proxy.asked).toEqual([])
  })

  test.each(['http://169.254.169.254', 'http://10.0.0.1', 'http://metadata.google.internal'])(
    'holds for what an endpoint says by itself: %s',
    async (origin) => {
      const proxy = await startProxy()
      expect(await slot(origin, proxy.url)()).toMatchObject({ reason: Reason.ENDPOINT_BLOCKED })
      expect(proxy.asked).toEqual([])
    },
  )
})
