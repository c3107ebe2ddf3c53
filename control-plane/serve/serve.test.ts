import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { DeliveryService } from '../../proto/gen/ferry/v1/delivery_service_pb.ts'
import { UseCaseService } from '../../proto/gen/ferry/v1/use_case_service_pb.ts'
import { BadRequestSchema, ErrorInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.ts'
import { LARGE, startTestServer, type TestServer } from './start-test-server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer({ callTimeoutMs: 300, slowCallMs: 150 })
})
afterAll(() => server.close())
beforeEach(() => {
  server.lines.length = 0
})

const name = (id: string): string => `namespaces/billing/useCases/${id}`
const failure = async (call: Promise<unknown>): Promise<ConnectError> =>
  ConnectError.from(
    await call.then(
      () => 'no error',
      (e) => e,
    ),
  )
const infoOf = (error: ConnectError) => error.findDetails(ErrorInfoSchema)[0]

test('a hundred mistakes fit into the trailers that any gRPC client takes', async () => {
  const useCase = { name: 'x', spec: { retry: { schedule: Array.from({ length: 100 }, () => ({ seconds: -1n })) } } }
  const error = await failure(createClient(UseCaseService, server.grpc).createUseCase({ useCase }))
  const told = error.findDetails(BadRequestSchema)[0]?.fieldViolations.length ?? 0
  expect(infoOf(error)?.metadata).toEqual({ violationCount: '104', violationsLeftOut: String(104 - told) })
  expect(told).toBeGreaterThan(10)
  const bytes = [...error.metadata].reduce((sum, [key, value]) => sum + key.length + value.length + 32, 0)
  expect(bytes + error.rawMessage.length).toBeLessThan(8192)
})

describe.each(['grpc', 'json', 'binary'] as const)('over %s', (kind) => {
  const useCases = () => createClient(UseCaseService, server[kind])

  test('a call carries metadata both ways, text and bytes', async () => {
    const seen: { header?: Headers; trailer?: Headers } = {}
    await useCases().getUseCase(
      { name: name('a') },
      {
        headers: { 'x-echo': 'hello', 'x-echo-bin': 'AAEC/w' },
        onHeader: (header) => {
          seen.header = header
        },
        onTrailer: (trailer) => {
          seen.trailer = trailer
        },
      },
    )
    expect(seen.header?.get('x-echo')).toBe('hello')
    expect(Buffer.from(seen.header?.get('x-echo-bin') ?? '', 'base64')).toEqual(Buffer.from([0, 1, 2, 255]))
    expect(seen.trailer?.get('x-after')).toBe('done')
  })

  test("the handler knows the caller's deadline", async () => {
    const { useCase } = await useCases().getUseCase({ name: name('a') }, { timeoutMs: 1000 })
    expect(useCase?.uid).toBe('timeout true')
  })

  test('64-bit integers arrive whole', async () => {
    const { useCase } = await useCases().getUseCase({ name: name('a') })
    expect(useCase?.revision).toBe(LARGE)
    const lag = await createClient(DeliveryService, server[kind]).getLag({ useCase: name('a') })
    expect(lag.records).toBe(LARGE)
    expect(lag.partitions[0]).toMatchObject({ partition: 3, cursor: -LARGE, endOffset: LARGE })
  })

  test('a planned error arrives with its code, reason and metadata', async () => {
    const error = await failure(useCases().getUseCase({ name: name('missing') }))
    expect(error.code).toBe(Code.NotFound)
    expect(error.rawMessage).toBe(`${name('missing')} does not exist`)
    expect(infoOf(error)).toMatchObject({ reason: 'USE_CASE_NOT_FOUND', domain: 'ferry', metadata: { name: name('missing') } })
    expect(server.lines).toMatchObject([
      {
        level: 'info',
        message: 'call failed',
        fields: { call: 'ferry.v1.UseCaseService/GetUseCase', reason: 'USE_CASE_NOT_FOUND' },
      },
    ])
  })

  test('all violations arrive at once, each with field, what is right and what was given', async () => {
    const error = await failure(
      useCases().createUseCase({
        useCase: {
          name: 'Orders',
          spec: { source: { topic: 'orders' }, destination: { url: 'http://u:hunter2@x y' }, delivery: { maxInFlight: 0 } },
        },
      }),
    )
    expect(error.code).toBe(Code.InvalidArgument)
    expect(infoOf(error)).toMatchObject({ reason: 'INVALID_REQUEST', domain: 'ferry', metadata: { violationCount: '4' } })
    const violations = error.findDetails(BadRequestSchema)[0]?.fieldViolations ?? []
    expect(violations.map(({ field, reason, description }) => [field, reason, description])).toEqual([
      [
        'use_case.name',
        'STRING_PATTERN',
        'use_case.name must be namespaces/{namespace}/useCases/{id}, where namespace and id are 1 to 63 lower-case letters, digits and dashes that start with a letter (such as namespaces/billing/useCases/invoices) and have at most 150 characters; given "Orders"',
      ],
      ['use_case.spec.decode', 'REQUIRED', 'use_case.spec.decode must be given'],
      [
        'use_case.spec.destination.url',
        'STRING_URI',
        'use_case.spec.destination.url must be an absolute URL such as https://orders.example.com/events and have at most 2,000 characters; given "http://***@x y"',
      ],
      [
        'use_case.spec.delivery.max_in_flight',
        'INT32_GTE_LTE',
        'use_case.spec.delivery.max_in_flight must be from 1 to 4,096; given 0',
      ],
    ])
    expect(error.rawMessage).toContain('4 fields are wrong: use_case.name must be')
    expect(server.lines).toMatchObject([{ level: 'info', fields: { reason: 'INVALID_REQUEST' } }])
    expect(JSON.stringify(server.lines)).not.toContain('Orders')
  })

  test('an error that nobody planned is INTERNAL with an id that the log has, and tells nothing', async () => {
    const error = await failure(useCases().getUseCase({ name: name('boom') }))
    const errorId = infoOf(error)?.metadata['errorId']
    expect(error.code).toBe(Code.Internal)
    expect(error.rawMessage).toBe(`internal error; the server's log has it as ${errorId}`)
    expect(errorId).toMatch(/^[0-9a-f-]{36}$/)
    expect(server.lines).toMatchObject([
      { level: 'error', fields: { errorId, error: expect.stringContaining('redis://***@redis:6379 refused us') } },
    ])
    expect(JSON.stringify(server.lines)).not.toContain('hunter2')
  })

  test("the handler's signal is aborted at the caller's deadline", async () => {
    server.state.abortReasons.length = 0
    const error = await failure(useCases().getUseCase({ name: name('slow') }, { timeoutMs: 60 }))
    expect(error.code).toBe(Code.DeadlineExceeded)
    await vi.waitFor(() => expect(server.state.abortReasons).toHaveLength(1))
  })

  test("the handler's signal is aborted when the caller cancels", async () => {
    server.state.abortReasons.length = 0
    const started = server.state.started
    const caller = new AbortController()
    const call = failure(useCases().getUseCase({ name: name('slow') }, { signal: caller.signal }))
    await vi.waitFor(() => expect(server.state.started).toBe(started + 1))
    caller.abort()
    expect((await call).code).toBe(Code.Canceled)
    await vi.waitFor(() => expect(server.state.abortReasons).toHaveLength(1))
  })

  test("a handler that does not look at its signal is answered for at the server's own limit", async () => {
    const error = await failure(useCases().getUseCase({ name: name('deaf') }, { timeoutMs: 5000 }))
    expect(error.code).toBe(Code.DeadlineExceeded)
    expect(error.rawMessage).toContain("the server's limit of 300 ms")
    expect(server.lines).toMatchObject([{ level: 'warn', fields: { code: 'DEADLINE_EXCEEDED', reason: 'DEADLINE_EXCEEDED' } }])
  })

  test('a method without a handler is UNIMPLEMENTED with a reason', async () => {
    const error = await failure(useCases().resumeUseCase({ name: name('a') }))
    expect(error.code).toBe(Code.Unimplemented)
    expect(infoOf(error)).toMatchObject({ reason: 'UNIMPLEMENTED', domain: 'ferry' })
  })

  test('a successful call is not logged', async () => {
    await useCases().getUseCase({ name: name('a') })
    expect(server.lines).toEqual([])
  })
})
