import { once } from 'node:events'
import { Code, type HandlerContext } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { Registry } from 'prom-client'
import { DeliveryService } from '../../proto/gen/ferry/v1/delivery_service_pb.ts'
import { UseCaseService } from '../../proto/gen/ferry/v1/use_case_service_pb.ts'
import { createGrpcJsTransport } from '../../proto/grpc-transport.ts'
import { CallMeter } from './call-meter.ts'
import { ferryError } from './errors.ts'
import type { Log } from './log.ts'
import { serve } from './serve.ts'
import type { ServeLimits } from './serve-limits.ts'

/** Above 2^53: a number would round it. */
export const LARGE = 9_007_199_254_740_993n

export type LogLine = { readonly level: keyof Log; readonly message: string; readonly fields: Record<string, unknown> }

function createState() {
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  return { notReady: [] as string[], started: 0, abortReasons: [] as unknown[], released, release }
}

/** The last part of the name says what happens: missing, boom, deaf, held, slow; anything else is found. */
const createGetUseCase =
  (state: ReturnType<typeof createState>) => async (request: { name: string }, context: HandlerContext) => {
    const { name } = request
    const id = name.split('/').at(-1)
    state.started++
    context.responseHeader.set('x-echo', context.requestHeader.get('x-echo') ?? '')
    const binary = context.requestHeader.get('x-echo-bin')
    if (binary) context.responseHeader.set('x-echo-bin', binary)
    context.responseTrailer.set('x-after', 'done')
    if (id === 'missing') throw ferryError(Code.NotFound, 'USE_CASE_NOT_FOUND', `${name} does not exist`, { name })
    if (id === 'boom') throw new Error('redis://ferry:hunter2@redis:6379 refused us')
    if (id === 'deaf') await new Promise(() => {})
    if (id === 'held') await state.released
    if (id === 'slow') {
      if (!context.signal.aborted) await once(context.signal, 'abort')
      state.abortReasons.push(context.signal.reason)
      context.signal.throwIfAborted()
    }
    return { useCase: { name, uid: `timeout ${context.timeoutMs() !== undefined}`, revision: LARGE } }
  }

/** Real listeners on free ports, with a small implementation of two services. */
export async function startTestServer(limits: Partial<ServeLimits> = {}, calls = new CallMeter()) {
  const lines: LogLine[] = []
  const write = (level: keyof Log) => (fields: object, message: string) =>
    void lines.push({ level, message, fields: { ...fields } })
  const log: Log = { info: write('info'), warn: write('warn'), error: write('error') }
  const state = createState()
  const getUseCase = createGetUseCase(state)
  const registry = new Registry()
  const server = await serve({
    services: [
      [UseCaseService, { getUseCase, createUseCase: ({ useCase }) => (useCase ? { useCase } : {}) }],
      [DeliveryService, { getLag: () => ({ records: LARGE, partitions: [{ partition: 3, cursor: -LARGE, endOffset: LARGE }] }) }],
    ],
    grpc: { host: '127.0.0.1', port: 0 },
    http: { host: '127.0.0.1', port: 0 },
    registry,
    ready: () => state.notReady,
    ...{ log, calls },
    limits: { healthPollMs: 10, ...limits },
  })
  const url = `http://127.0.0.1:${server.httpPort}`
  const grpc = createGrpcJsTransport(`127.0.0.1:${server.grpcPort}`)
  return {
    server,
    url,
    grpc,
    json: createConnectTransport({ baseUrl: url, httpVersion: '1.1' }),
    binary: createConnectTransport({ baseUrl: url, httpVersion: '1.1', useBinaryFormat: true }),
    registry,
    lines,
    state,
    async close() {
      grpc.close()
      await server.stop(100)
    },
  }
}

export type TestServer = Awaited<ReturnType<typeof startTestServer>>
