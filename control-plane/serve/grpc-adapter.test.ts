import { Code, ConnectError, createClient, type ServiceImpl } from '@connectrpc/connect'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { afterEach, expect, test } from 'vitest'
import { ErrorInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.ts'
import { ServerReflection } from '../../proto/gen/grpc/reflection/v1/reflection_pb.ts'
import { createGrpcJsTransport } from '../../proto/grpc-transport.ts'
import { addService } from './grpc-adapter.ts'

const cleanUps: (() => void)[] = []
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp()
})

/** ServerReflection is the bidi method at hand; what it means does not matter here. */
async function openStream(serverReflectionInfo: ServiceImpl<typeof ServerReflection>['serverReflectionInfo']) {
  const server = new Server()
  addService(server, ServerReflection, { serverReflectionInfo }, [])
  const port = await new Promise<number>((resolve) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => resolve(bound))
  })
  const transport = createGrpcJsTransport(`127.0.0.1:${port}`, { streamTimeoutMs: 4000 })
  cleanUps.push(
    () => transport.close(),
    () => server.forceShutdown(),
  )
  return createClient(ServerReflection, transport)
}

async function* hosts(count: number) {
  for (let index = 0; index < count; index++) yield { host: String(index) }
}

test('a handler may stop reading requests and go on answering', async () => {
  const client = await openStream(async function* (requests) {
    for await (const { host } of requests) {
      yield { validHost: host }
      break
    }
    yield { validHost: 'after' }
  })
  const heard: string[] = []
  for await (const { validHost } of client.serverReflectionInfo(hosts(3))) heard.push(validHost)
  expect(heard).toEqual(['0', 'after'])
})

test('more than fits into the buffers on the way arrives whole and in order, both ways', async () => {
  const padding = 'x'.repeat(10_000)
  const client = await openStream(async function* (requests) {
    for await (const { host } of requests) yield { validHost: `${host} ${padding}` }
  })
  const heard: number[] = []
  for await (const { validHost } of client.serverReflectionInfo(hosts(500))) {
    if (validHost.endsWith(padding)) heard.push(Number.parseInt(validHost, 10))
  }
  expect(heard).toEqual(Array.from({ length: 500 }, (_, index) => index))
})

test('neither side runs ahead of one that does not read', async () => {
  const count = { requests: 0, responses: 0 }
  const padding = 'x'.repeat(10_000)
  const client = await openStream(async function* () {
    for (; count.responses < 5000; count.responses++) yield { validHost: padding }
  })
  async function* requests() {
    for (; count.requests < 5000; count.requests++) yield { host: padding }
  }
  const caller = new AbortController()
  const responses = client.serverReflectionInfo(requests(), { signal: caller.signal })[Symbol.asyncIterator]()
  await responses.next()
  expect(count.requests).toBeLessThan(500)
  expect(count.responses).toBeLessThan(500)
  caller.abort()
})

test('a stream without a message still has its headers and trailers', async () => {
  // biome-ignore lint/correctness/useYield: that there is no message is what is tested
  const client = await openStream(async function* (_, context) {
    context.responseHeader.set('x-head', 'h')
    context.responseTrailer.set('x-tail', 't')
  })
  const seen: (string | null)[] = []
  const onHeader = (header: Headers) => void seen.push(header.get('x-head'))
  const onTrailer = (trailer: Headers) => void seen.push(trailer.get('x-tail'))
  for await (const _ of client.serverReflectionInfo(hosts(0), { onHeader, onTrailer })) throw new Error('a message')
  expect(seen).toEqual(['h', 't'])
})

test('an error after some messages comes after them, with its details', async () => {
  const client = await openStream(async function* () {
    yield { validHost: 'one' }
    throw new ConnectError('enough', Code.OutOfRange, { 'x-why': 'because' }, [
      { desc: ErrorInfoSchema, value: { reason: 'ENOUGH' } },
    ])
  })
  const responses = client.serverReflectionInfo(hosts(1))[Symbol.asyncIterator]()
  expect((await responses.next()).value?.validHost).toBe('one')
  const error = ConnectError.from(await responses.next().catch((reason: unknown) => reason))
  expect([error.code, error.rawMessage, error.metadata.get('x-why')]).toEqual([Code.OutOfRange, 'enough', 'because'])
  expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: 'ENOUGH' }])
})

test('details that cannot be encoded cost the details, not the call', async () => {
  // biome-ignore lint/correctness/useYield: it fails before its first message
  const client = await openStream(async function* () {
    const broken = {
      get reason(): string {
        throw new Error('no reason')
      },
    }
    throw new ConnectError('enough', Code.OutOfRange, undefined, [{ desc: ErrorInfoSchema, value: broken }])
  })
  const responses = client.serverReflectionInfo(hosts(1))[Symbol.asyncIterator]()
  const error = ConnectError.from(await responses.next().catch((reason: unknown) => reason))
  expect([error.code, error.rawMessage, error.details]).toEqual([Code.OutOfRange, 'enough', []])
})
