import { Code, ConnectError, createClient, createRouterTransport, type ServiceImpl } from '@connectrpc/connect'
import { expect, test } from 'vitest'
import { Health } from '../../proto/gen/grpc/health/v1/health_pb.ts'
import { ferryError, reasonOf } from './errors.ts'
import { logRequest } from './log-request.ts'

type Line = { level: string; message: string; [field: string]: unknown }

function openHealth(implementation: Partial<ServiceImpl<typeof Health>>, slowMs = 10_000) {
  const lines: Line[] = []
  const write = (level: string) => (fields: object, message: string) => void lines.push({ level, message, ...fields })
  const interceptors = [logRequest({ log: { info: write('info'), warn: write('warn'), error: write('error') }, slowMs })]
  const transport = createRouterTransport((router) => router.service(Health, implementation), { router: { interceptors } })
  return { client: createClient(Health, transport), lines }
}

const caught = (reason: unknown): ConnectError => ConnectError.from(reason)

test('a call that succeeds in time is not logged, a slow one is', async () => {
  const fast = openHealth({ check: () => ({}) })
  await fast.client.check({})
  expect(fast.lines).toEqual([])
  const slow = openHealth({ check: () => ({}) }, 0)
  await slow.client.check({})
  expect(slow.lines).toMatchObject([{ level: 'warn', message: 'slow call', call: 'grpc.health.v1.Health/Check' }])
})

test.each([
  [Code.NotFound, 'info', 'NOT_FOUND'],
  [Code.Unavailable, 'warn', 'UNAVAILABLE'],
  [Code.DataLoss, 'error', 'DATA_LOSS'],
])('a failed call is logged once, by whose fault it is (%i: %s)', async (code, level, name) => {
  const { client, lines } = openHealth({
    check: () => {
      throw new ConnectError('redis://:hunter2@redis is away', code)
    },
  })
  await client.check({}).catch(caught)
  expect(lines).toMatchObject([{ level, code: name, message: 'call failed', text: 'redis://***@redis is away' }])
})

test('what a stream throws after its first message is logged and hidden as well', async () => {
  const { client, lines } = openHealth({
    async *watch() {
      yield { status: 1 }
      throw new TypeError('undefined is no function')
    },
  })
  const watch = client.watch({})[Symbol.asyncIterator]()
  await watch.next()
  const error = (await watch.next().catch(caught)) as ConnectError
  expect([error.code, reasonOf(error)]).toEqual([Code.Internal, 'INTERNAL'])
  expect(lines).toMatchObject([{ level: 'error', error: expect.stringContaining('TypeError: undefined is no function') }])
})

test('a stream that its client ends is no failure, and one that the stopping server ends is no warning', async () => {
  const streamThat = async (error: ConnectError) => {
    const { client, lines } = openHealth({
      // biome-ignore lint/correctness/useYield: it ends before its first message
      async *watch() {
        throw error
      },
    })
    await client.watch({})[Symbol.asyncIterator]().next().catch(caught)
    return lines
  }
  expect(await streamThat(new ConnectError('gone', Code.Canceled))).toEqual([])
  expect(await streamThat(ferryError(Code.Unavailable, 'SERVER_STOPPING', 'bye'))).toMatchObject([{ level: 'info' }])
})

test('violations are logged by field and rule, never by what was given', async () => {
  const violations = [{ field: 'spec.url', description: 'spec.url must be a URL; given "hunter2"', reason: 'STRING_URI' }]
  const { client, lines } = openHealth({
    check: () => {
      throw ferryError(Code.InvalidArgument, 'INVALID_REQUEST', 'spec.url must be a URL; given "hunter2"', {}, violations)
    },
  })
  await client.check({}).catch(caught)
  expect(lines).toMatchObject([{ violations: [{ field: 'spec.url', reason: 'STRING_URI' }] }])
  expect(JSON.stringify(lines)).not.toContain('hunter2')
})

test('the cause of a planned error is logged and not told', async () => {
  const { client, lines } = openHealth({
    check: () => {
      throw new ConnectError('the log cannot be asked', Code.Unavailable, undefined, undefined, new Error('ECONNREFUSED'))
    },
  })
  const error = (await client.check({}).catch(caught)) as ConnectError
  expect(error.rawMessage).toBe('the log cannot be asked')
  expect(lines).toMatchObject([{ error: expect.stringContaining('ECONNREFUSED') }])
})
