import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { Counter } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startHttpListener } from './http-listener.ts'
import { ListenError } from './listen-error.ts'
import { defaultServeLimits } from './serve-limits.ts'
import { startTestServer, type TestServer } from './start-test-server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer({ requestBytesMax: 2000, headersTimeoutMs: 200, requestTimeoutMs: 300, headerBytesMax: 4096 })
})
afterAll(() => server.close())

const getUseCase = '/ferry.v1.UseCaseService/GetUseCase'
const post = (path: string, body: string, type = 'application/json'): Promise<Response> =>
  fetch(server.url + path, { method: 'POST', body, headers: { 'content-type': type } })

test('curl with JSON is enough to call', async () => {
  const response = await post(getUseCase, '{"name":"namespaces/a/useCases/b"}')
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ useCase: { name: 'namespaces/a/useCases/b', revision: '9007199254740993' } })
})

test('a misspelt field is refused and named, and the refusal is logged', async () => {
  server.lines.length = 0
  const response = await post(getUseCase, '{"nmae":"x"}')
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ code: 'invalid_argument', message: expect.stringContaining('"nmae" is unknown') })
  expect(server.lines).toMatchObject([{ level: 'info', fields: { call: 'ferry.v1.UseCaseService/GetUseCase', status: 400 } }])
})

test('a call that fails in its handler is logged once', async () => {
  server.lines.length = 0
  expect((await post(getUseCase, '{"name":"namespaces/a/useCases/missing"}')).status).toBe(404)
  expect(server.lines).toHaveLength(1)
})

test('/healthz is 200 while the process lives, ready or not', async () => {
  server.state.notReady.push('Redis is away')
  const response = await fetch(`${server.url}/healthz`)
  server.state.notReady.pop()
  expect([response.status, await response.json()]).toEqual([200, { live: true }])
})

test('/readyz is 503 with the reasons while the process is not ready', async () => {
  const ready = await fetch(`${server.url}/readyz`)
  expect([ready.status, await ready.json()]).toEqual([200, { ready: true, reasons: [] }])
  server.state.notReady.push('Redis is away', 'no leader')
  const notReady = await fetch(`${server.url}/readyz?verbose`)
  server.state.notReady.length = 0
  expect([notReady.status, await notReady.json()]).toEqual([503, { ready: false, reasons: ['Redis is away', 'no leader'] }])
})

test('/metrics answers what the registry has', async () => {
  new Counter({ name: 'test_total', help: 'test', registers: [server.registry] }).inc(3)
  const response = await fetch(`${server.url}/metrics`)
  expect(response.headers.get('content-type')).toContain('text/plain')
  expect(await response.text()).toContain('test_total 3')
})

test('an unknown path is 404 with what exists', async () => {
  const response = await fetch(`${server.url}/favicon.ico`)
  expect(response.status).toBe(404)
  expect(await response.json()).toMatchObject({
    code: 'not_found',
    message: 'nothing is at /favicon.ico',
    pages: ['/healthz', '/readyz', '/metrics'],
    calls: expect.arrayContaining([`POST ${getUseCase}`]),
  })
})

test('an unknown method of a known service is 404 with the methods of that service', async () => {
  const { calls } = (await (await post('/ferry.v1.DeliveryService/Nothing', '{}')).json()) as { calls: string[] }
  expect(calls).toContain('POST /ferry.v1.DeliveryService/GetLag')
  expect(calls.every((call) => call.includes('DeliveryService'))).toBe(true)
})

test.each([
  ['GET', undefined, 405, 'by POST'],
  ['POST', 'application/x-www-form-urlencoded', 415, 'send content-type: application/json'],
])('%s with content-type %s is told how to call', async (method, type, status, message) => {
  const response = await fetch(server.url + getUseCase, { method, ...(type && { headers: { 'content-type': type }, body: 'x' }) })
  expect(response.status).toBe(status)
  expect(await response.json()).toMatchObject({ message: expect.stringContaining(message) })
})

test('a body above the limit is refused', async () => {
  const response = await post(getUseCase, JSON.stringify({ name: 'x'.repeat(3000) }))
  expect(await response.json()).toMatchObject({ code: 'resource_exhausted', message: expect.stringContaining('2000') })
})

test.each([
  ['HTTP/1.1', 'host: [\r\n'],
  ['HTTP/1.0', ''],
])('a %s request with the header %j does not end the process', async (version, header) => {
  const socket = connect(server.server.httpPort, '127.0.0.1')
  socket.write(
    `POST ${getUseCase} ${version}\r\n${header}content-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}`,
  )
  expect(await text(socket)).toMatch(/^HTTP\/1.1 400 /)
})

test.each([
  ['headers do not come', `POST ${getUseCase} HTTP/1.1\r\nhost: x\r\n`, '408'],
  [
    'body does not come',
    `POST ${getUseCase} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{`,
    '408',
  ],
  ['headers are too large', `GET /healthz HTTP/1.1\r\nhost: x\r\nx-large: ${'x'.repeat(5000)}\r\n\r\n`, '431'],
])('a request whose %s is ended with its status', async (_, head, status) => {
  const socket = connect(server.server.httpPort, '127.0.0.1')
  socket.write(head)
  expect(await text(socket)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
})

test('a port that is taken is said with what to do', async () => {
  const limits = defaultServeLimits
  const { registry, server: running } = server
  const log = { info() {}, warn() {}, error() {} }
  const address = { host: '127.0.0.1', port: running.httpPort }
  const error = await startHttpListener({
    ...address,
    services: [],
    interceptors: [],
    limits,
    log,
    registry,
    ready: () => [],
  }).catch((e) => e)
  expect(error).toBeInstanceOf(ListenError)
  expect(error.message).toMatch(/^cannot listen for HTTP on 127\.0\.0\.1:\d+ \(.*EADDRINUSE.*\): give another port/)
})
