import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createWritableIterable } from '@connectrpc/connect/protocol'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { UseCaseService } from '../../proto/gen/ferry/v1/use_case_service_pb.ts'
import { ServerReflection } from '../../proto/gen/grpc/reflection/v1/reflection_pb.ts'
import { reasonOf } from './errors.ts'
import { startTestServer, type TestServer } from './start-test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await startTestServer()
})
afterEach(() => server.close())

const caught = (reason: unknown): ConnectError => ConnectError.from(reason)
const getUseCase = (kind: 'grpc' | 'json', id: string) =>
  createClient(UseCaseService, server[kind]).getUseCase({ name: `namespaces/a/useCases/${id}` }, { timeoutMs: 5000 })
const started = (count: number) => vi.waitFor(() => expect(server.state.started).toBe(count), { interval: 5 })

test('calls on the way end by themselves, on both listeners, and the stop says so', async () => {
  const calls = [getUseCase('grpc', 'held'), getUseCase('json', 'held')]
  await started(2)
  const stopped = server.server.stop(5000)
  server.state.release()
  const answers = await Promise.all(calls)
  expect(answers.map((answer) => answer.useCase?.name)).toEqual(['namespaces/a/useCases/held', 'namespaces/a/useCases/held'])
  expect(await stopped).toBe(true)
})

test('calls that do not end are told to go elsewhere at the deadline, and the stop says so', async () => {
  const calls = [getUseCase('grpc', 'deaf').catch(caught), getUseCase('json', 'deaf').catch(caught)]
  await started(2)
  expect(await server.server.stop(250)).toBe(false)
  const errors = (await Promise.all(calls)) as ConnectError[]
  expect(errors.map((error) => [error.code, reasonOf(error)])).toEqual([
    [Code.Unavailable, 'SERVER_STOPPING'],
    [Code.Unavailable, 'SERVER_STOPPING'],
  ])
})

test('a stopped server takes no calls, on neither listener', async () => {
  await getUseCase('grpc', 'a')
  await getUseCase('json', 'a')
  expect(await server.server.stop(5000)).toBe(true)
  expect((await getUseCase('grpc', 'a').catch(caught)) as ConnectError).toMatchObject({ code: Code.Unavailable })
  expect((await getUseCase('json', 'a').catch(caught)) as ConnectError).toMatchObject({ code: Code.Unavailable })
})

test('a connection that is kept alive hears that the server stops, and is closed with its last answer', async () => {
  const socket = connect(server.server.httpPort, '127.0.0.1')
  const heard = text(socket)
  const body = '{"name":"namespaces/a/useCases/held"}'
  const head = `POST /ferry.v1.UseCaseService/GetUseCase HTTP/1.1\r\nhost: x\r\ncontent-type: application/json`
  socket.write(`${head}\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
  await started(1)
  const stopped = server.server.stop(5000)
  socket.write('GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n')
  server.state.release()
  expect(await heard).toMatch(/^HTTP\/1.1 200 OK[\s\S]*HTTP\/1.1 503 [\s\S]*connection: close[\s\S]*the server is stopping/i)
  expect(await stopped).toBe(true)
})

test('a caller that never finishes its request is cut off at the deadline, on both listeners', async () => {
  const path = '/ferry.v1.UseCaseService/GetUseCase'
  const session = connectHttp2(`http://127.0.0.1:${server.server.grpcPort}`)
  const half = session.request(
    { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
    { endStream: false },
  )
  const closed = new Promise((resolve) => session.once('close', resolve))
  session.on('error', () => {})
  half.on('error', () => {})
  await once(session, 'connect')
  await new Promise<void>((resolve, reject) => session.ping((error) => (error ? reject(error) : resolve())))
  const socket = connect(server.server.httpPort, '127.0.0.1')
  socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{`)
  await once(socket, 'connect')
  expect(await server.server.stop(50)).toBe(false)
  await Promise.all([closed, once(socket, 'close')])
})

test('an open stream ends with UNAVAILABLE and a reason', async () => {
  const requests = createWritableIterable<{ messageRequest: { case: 'listServices'; value: string } }>()
  const responses = createClient(ServerReflection, server.grpc)
    .serverReflectionInfo(requests, { timeoutMs: 5000 })
    [Symbol.asyncIterator]()
  void requests.write({ messageRequest: { case: 'listServices', value: '' } })
  await responses.next()
  const stopped = server.server.stop(5000)
  const error = (await responses.next().catch(caught)) as ConnectError
  expect([error.code, reasonOf(error)]).toEqual([Code.Unavailable, 'SERVER_STOPPING'])
  expect(await stopped).toBe(true)
})
