import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../proto/gen/grpc/health/v1/health_pb.ts'
import { reasonOf } from './errors.ts'
import { startTestServer, type TestServer } from './start-test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await startTestServer()
})
afterEach(() => server.close())

const health = () => createClient(Health, server.grpc)

test('the server and each of its services serve while the process is ready', async () => {
  expect((await health().check({})).status).toBe(Status.SERVING)
  expect((await health().check({ service: 'ferry.v1.UseCaseService' })).status).toBe(Status.SERVING)
  server.state.notReady.push('Redis is away')
  expect((await health().check({})).status).toBe(Status.NOT_SERVING)
  expect((await health().check({ service: 'ferry.v1.UseCaseService' })).status).toBe(Status.NOT_SERVING)
  expect((await health().list({})).statuses['ferry.v1.DeliveryService']?.status).toBe(Status.NOT_SERVING)
})

test('an unknown service is NOT_FOUND when checked', async () => {
  const error = await health()
    .check({ service: 'ferry.v1.Nothing' })
    .catch((reason: unknown) => ConnectError.from(reason))
  expect(error).toMatchObject({ code: Code.NotFound, rawMessage: 'no service "ferry.v1.Nothing" is served here' })
  expect(reasonOf(error as ConnectError)).toBe('SERVICE_NOT_FOUND')
})

test('a watcher hears each change once, and of the stop before its stream ends', async () => {
  const watch = health().watch({}, { timeoutMs: 5000 })[Symbol.asyncIterator]()
  const next = async () => (await watch.next()).value?.status
  expect(await next()).toBe(Status.SERVING)
  server.state.notReady.push('Redis is away')
  expect(await next()).toBe(Status.NOT_SERVING)
  server.state.notReady.pop()
  expect(await next()).toBe(Status.SERVING)
  const stopped = server.server.stop(2000)
  expect(await next()).toBe(Status.NOT_SERVING)
  expect((await watch.next()).done).toBe(true)
  expect(await stopped).toBe(true)
})

test('a watcher of an unknown service hears that it is unknown and keeps its stream', async () => {
  const caller = new AbortController()
  const watch = health().watch({ service: 'ferry.v1.Nothing' }, { signal: caller.signal })[Symbol.asyncIterator]()
  expect((await watch.next()).value?.status).toBe(Status.SERVICE_UNKNOWN)
  caller.abort()
  await expect(watch.next()).rejects.toMatchObject({ code: Code.Canceled })
})

test('a watcher that goes away is no failure to log', async () => {
  const caller = new AbortController()
  const watch = health().watch({}, { signal: caller.signal })[Symbol.asyncIterator]()
  await watch.next()
  caller.abort()
  await watch.next().catch(() => {})
  expect(await server.server.stop(2000)).toBe(true)
  expect(server.lines).toEqual([])
})
