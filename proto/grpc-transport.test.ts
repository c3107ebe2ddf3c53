import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server as NetServer, type Socket } from 'node:net'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { Metadata, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  Health,
  type HealthCheckRequest,
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
} from './gen/grpc/health/v1/health_pb.ts'
import { createGrpcJsTransport, type GrpcJsTransport, type GrpcJsTransportOptions } from './grpc-transport.ts'

type Call = ServerDuplexStream<HealthCheckRequest, object>

/** A plain grpc-js server: what it answers depends on the service that is asked about. */
function createHealthServer(): Server {
  const server = new Server()
  const method = (name: string) => ({
    path: `/grpc.health.v1.Health/${name}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: (message: HealthCheckRequest) => Buffer.from(toBinary(HealthCheckRequestSchema, message)),
    requestDeserialize: (bytes: Buffer) => fromBinary(HealthCheckRequestSchema, bytes),
    responseSerialize: (init: object) =>
      Buffer.from(toBinary(HealthCheckResponseSchema, create(HealthCheckResponseSchema, init))),
    responseDeserialize: (bytes: Buffer) => fromBinary(HealthCheckResponseSchema, bytes),
  })
  const check = (call: Call): void => {
    call.on('data', ({ service }: HealthCheckRequest) => {
      if (service === 'silent') return
      if (service === 'broken') {
        const metadata = new Metadata()
        metadata.set('grpc-status-details-bin', Buffer.from([0xff, 0xff, 0xff]))
        call.emit('error', Object.assign(new Error('not now'), { code: 9, details: 'not now', metadata }))
        return
      }
      if (service === 'twice') call.write({ status: 1 })
      call.write({ status: 1 })
      call.end()
    })
  }
  const watch = (call: Call): void => void call.write({ status: 1 })
  server.addService({ check: method('Check'), watch: method('Watch') }, { check, watch })
  return server
}

/** A stretch of network that can fall silent, be cut, and refuse. */
async function createNetwork(targetPort: number): Promise<{ port: number; silence(): void; cut(): void; server: NetServer }> {
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(targetPort, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('error', () => {})
      from.on('data', (bytes) => to.write(bytes))
      from.on('close', () => to.destroy())
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const silence = (): void => {
    for (const socket of sockets) socket.removeAllListeners('data').resume()
  }
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return { port: (server.address() as AddressInfo).port, silence, cut, server }
}

let server: Server
let network: Awaited<ReturnType<typeof createNetwork>>
let transports: GrpcJsTransport[]
beforeEach(async () => {
  server = createHealthServer()
  transports = []
  const port = await new Promise<number>((resolve) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => resolve(bound))
  })
  network = await createNetwork(port)
})
afterEach(() => {
  for (const transport of transports) transport.close()
  network.cut()
  network.server.close()
  server.forceShutdown()
})

function open(options: GrpcJsTransportOptions = {}, port = network.port) {
  const transport = createGrpcJsTransport(`127.0.0.1:${port}`, options)
  transports.push(transport)
  return { transport, health: createClient(Health, transport) }
}

const failure = async (work: Promise<unknown>): Promise<ConnectError> =>
  ConnectError.from(
    await work.then(
      () => 'no error',
      (e) => e,
    ),
  )

test('a call without a deadline gets the default one', async () => {
  const error = await failure(open({ callTimeoutMs: 100 }).health.check({ service: 'silent' }))
  expect(error.code).toBe(Code.DeadlineExceeded)
})

test('a stream without a deadline gets the default one', async () => {
  const watch = open({ streamTimeoutMs: 100 }).health.watch({})[Symbol.asyncIterator]()
  await watch.next()
  expect((await failure(watch.next())).code).toBe(Code.DeadlineExceeded)
})

test('where nobody listens a call is UNAVAILABLE long before its deadline', async () => {
  network.server.close()
  await once(network.server, 'close')
  const startMs = performance.now()
  const error = await failure(open().health.check({}, { timeoutMs: 20_000 }))
  expect(error.code).toBe(Code.Unavailable)
  expect(performance.now() - startMs).toBeLessThan(5000)
})

test('a server that accepts and says nothing costs the deadline and no more', async () => {
  const mute = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
  await once(mute, 'listening')
  const { transport, health } = open({ callTimeoutMs: 150 }, (mute.address() as AddressInfo).port)
  expect((await failure(health.check({}))).code).toBe(Code.DeadlineExceeded)
  transport.close()
  mute.close()
})

test('a connection that falls silent is noticed by its pings, and calls made at that very moment do not end the process', async () => {
  const { health } = open({ keepaliveTimeMs: 80, keepaliveTimeoutMs: 80, reconnectIntervalMaxMs: 20 })
  const watch = health.watch({})[Symbol.asyncIterator]()
  await watch.next()
  network.silence()
  const ended = failure(watch.next())
  const again = Array.from({ length: 20 }, () => ended.then(() => health.check({}, { timeoutMs: 2000 })))
  expect((await ended).code).toBe(Code.Unavailable)
  expect((await Promise.all(again)).map((answer) => answer.status)).toEqual(Array(20).fill(1))
})

test('a connection that is cut ends its calls with UNAVAILABLE, and the next call connects again', async () => {
  const { health } = open({ reconnectIntervalMaxMs: 20 })
  const watch = health.watch({})[Symbol.asyncIterator]()
  await watch.next()
  network.cut()
  expect((await failure(watch.next())).code).toBe(Code.Unavailable)
  expect((await health.check({}, { timeoutMs: 2000 })).status).toBe(1)
})

test('aborting the signal ends a call, before and after it began', async () => {
  const { health } = open()
  expect((await failure(health.check({}, { signal: AbortSignal.abort() }))).code).toBe(Code.Canceled)
  const caller = new AbortController()
  const watch = health.watch({}, { signal: caller.signal })[Symbol.asyncIterator]()
  await watch.next()
  caller.abort()
  expect((await failure(watch.next())).code).toBe(Code.Canceled)
})

test('details that cannot be read do not hide the status', async () => {
  const error = await failure(open().health.check({ service: 'broken' }))
  expect([error.code, error.rawMessage]).toEqual([Code.FailedPrecondition, 'not now'])
})

test('two responses to a unary call are an error', async () => {
  expect((await failure(open().health.check({ service: 'twice' }))).code).toBe(Code.Unimplemented)
})

test('a closed transport ends what is open, lets its connection go and takes no more calls', async () => {
  const { transport, health } = open()
  const watch = health.watch({})[Symbol.asyncIterator]()
  await watch.next()
  transport.close()
  expect((await failure(watch.next())).code).toBe(Code.Canceled)
  const error = await failure(health.check({}))
  expect([error.code, error.rawMessage]).toEqual([Code.Unavailable, `the channel to 127.0.0.1:${network.port} is closed`])
  await new Promise<void>((resolve) => server.tryShutdown(() => resolve()))
})
