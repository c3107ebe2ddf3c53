import { create } from '@bufbuild/protobuf'
import { timestampNow } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { DeliveryService } from '../../proto/gen/ferry/v1/delivery_service_pb.ts'
import type { TailResponse } from '../../proto/gen/ferry/v1/tail_pb.ts'
import { UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { createGrpcJsTransport } from '../../proto/grpc-transport.ts'
import { newSubject, openTestLog, type TestLog } from '../attempts/test-log.ts'
import { reasonOf } from '../serve/errors.ts'
import { serve } from '../serve/serve.ts'
import { queryMethods, selfCheckingDeliveryMethods } from './query-methods.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

const quiet = { info: () => {}, warn: () => {}, error: () => {} }

/** Real listeners, and a use case of its own. */
async function open(more: { durationMsMax?: number; tailsMax?: number } = {}) {
  const subject = newSubject()
  const { name, uid, cluster, topic } = subject
  const methods = queryMethods({
    log: log.reader,
    redis: log.redis,
    offsets: { endOffsets: async () => new Map(), startOffsets: async () => new Map() },
    useCase: async () => create(UseCaseSchema, { name, uid, createTime: timestampNow(), spec: { source: { cluster, topic } } }),
    ...{ pageLimits: { pageBytesMax: 3 << 20 }, nowMs: Date.now, tailsMax: more.tailsMax ?? 5 },
    tailLimits: {
      ...{ pollMs: 50, settleMs: 300, durationMsMax: more.durationMsMax ?? 50_000, messageBytesMax: 3 << 20, outageMsMax: 1000 },
    },
  })
  const address = { host: '127.0.0.1', port: 0 }
  const server = await serve({
    services: [[DeliveryService, methods]],
    ...{
      grpc: address,
      http: address,
      registry: new Registry(),
      ready: () => [],
      log: quiet,
      selfChecking: selfCheckingDeliveryMethods,
    },
  })
  const baseUrl = `http://127.0.0.1:${server.httpPort}`
  const grpc = createGrpcJsTransport(`127.0.0.1:${server.grpcPort}`)
  const transports = {
    grpc,
    json: createConnectTransport({ baseUrl, httpVersion: '1.1' }),
    binary: createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: true }),
  }
  const dispose = async (): Promise<void> => {
    grpc.close()
    await server.stop(500)
  }
  return { subject, server, transports, [Symbol.asyncDispose]: dispose }
}

/** Follows in the background; `opened` is when the first message has come. */
function follow(transport: Transport, request: Parameters<ReturnType<typeof createClient<typeof DeliveryService>>['tail']>[0]) {
  const messages: TailResponse[] = []
  const abort = new AbortController()
  const first = Promise.withResolvers<void>()
  const read = async (): Promise<void> => {
    for await (const message of createClient(DeliveryService, transport).tail(request, { signal: abort.signal })) {
      messages.push(message)
      first.resolve()
    }
  }
  const ended = read().then(
    () => undefined,
    (reason: unknown) => ConnectError.from(reason),
  )
  void ended.then(() => first.resolve())
  const offsets = (): number[] => messages.flatMap((each) => each.attempts.map(({ offset }) => Number(offset)))
  const skipped = (): number => messages.reduce((sum, each) => sum + Number(each.skipped), 0)
  return { messages, opened: first.promise, ended, offsets, skipped, cancel: () => abort.abort() }
}

const eventually = (check: () => void) => vi.waitFor(check, { timeout: 20_000, interval: 50 })

test('attempts are told as they are logged, by the filter, over gRPC and over HTTP, and a client ends it', async () => {
  await using opened = await open()
  const { subject, transports } = opened
  const useCase = subject.name
  await log.insertAttempts(subject, [{ offset: 1 }])
  await new Promise((resolve) => setTimeout(resolve, 400))
  const all = Object.values(transports).map((transport) => follow(transport, { useCase }))
  const failed = follow(transports.grpc, { useCase, filter: { outcomes: [Outcome.FAILED] } })
  await Promise.all([...all, failed].map((each) => each.opened))
  await log.insertAttempts(subject, [{ offset: 2 }, { offset: 3, outcome: 'FAILED' }])
  // As from the spool: sent long ago, logged now.
  await log.insertAttempts(subject, [{ offset: 4, sentMs: Date.now() - 86_400_000 }])
  for (const each of all) await eventually(() => expect(each.offsets()).toEqual([2, 3, 4]))
  await eventually(() => expect(failed.offsets()).toEqual([3]))
  for (const each of [...all, failed]) {
    expect(each.messages[0]).toMatchObject({ attempts: [], skipped: 0n })
    each.cancel()
    expect((await each.ended)?.code).toBe(Code.Canceled)
  }
})

test('when there are too many the last ones are told, and how many were skipped', async () => {
  await using opened = await open()
  const { subject, transports } = opened
  const followed = follow(transports.grpc, { useCase: subject.name, attemptsPerSecondMax: 10 })
  await followed.opened
  const offsets = Array.from({ length: 500 }, (_, offset) => offset)
  await log.insertAttempts(
    subject,
    offsets.map((offset) => ({ offset, sentMs: Date.now() - 60_000 + offset })),
  )
  await eventually(() => expect(followed.offsets().length + followed.skipped()).toBe(500))
  expect(followed.offsets().at(-1)).toBe(499)
  expect(followed.skipped()).toBeGreaterThan(300)
  followed.cancel()
})

test('a server that stops says so, on both listeners', async () => {
  await using opened = await open()
  const { subject, server, transports } = opened
  const followed = [transports.grpc, transports.json].map((transport) => follow(transport, { useCase: subject.name }))
  await Promise.all(followed.map((each) => each.opened))
  expect(await server.stop(5000)).toBe(true)
  for (const each of followed) {
    const error = await each.ended
    expect([error?.code, error && reasonOf(error)]).toEqual([Code.Unavailable, 'SERVER_STOPPING'])
  }
})

test('a stream ends by itself after its time, and no more are open at once than may be', async () => {
  await using opened = await open({ durationMsMax: 500, tailsMax: 1 })
  const { subject, transports } = opened
  const useCase = subject.name
  const first = follow(transports.json, { useCase })
  await first.opened
  const error = await follow(transports.grpc, { useCase }).ended
  expect([error?.code, error && reasonOf(error)]).toEqual([Code.ResourceExhausted, 'LIMIT_EXCEEDED'])
  expect(await first.ended).toBeUndefined()
  expect(await follow(transports.grpc, { useCase }).ended).toBeUndefined()
})

test('what is wrong with the filter is told at once', async () => {
  await using opened = await open()
  const { subject, transports } = opened
  const error = await follow(transports.json, { useCase: subject.name, filter: { fromOffset: 1n, statuses: [-1] } }).ended
  expect([error?.code, error?.rawMessage]).toEqual([Code.InvalidArgument, expect.stringMatching(/statuses.*from_offset/s)])
})
