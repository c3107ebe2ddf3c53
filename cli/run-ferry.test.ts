import { create } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { RetryBatchState } from '../proto/gen/ferry/v1/retry_batch_pb.ts'
import { RetryBatchService } from '../proto/gen/ferry/v1/retry_batch_service_pb.ts'
import { type UseCase, UseCaseSchema } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { UseCaseService } from '../proto/gen/ferry/v1/use_case_service_pb.ts'
import { BadRequestSchema, ErrorInfoSchema } from '../proto/gen/google/rpc/error_details_pb.ts'
import { TestServer } from './test-server.ts'
import { TestTerminal } from './test-terminal.ts'

const useCases = new Map<string, UseCase>()
const given: (string | null)[] = []
let delivered = 0n
let server: TestServer

beforeAll(async () => {
  server = await TestServer.start((router) => {
    router.service(UseCaseService, {
      listUseCases({ parent }, { requestHeader }) {
        given.push(requestHeader.get('authorization'))
        return { useCases: [...useCases.values()].filter(({ name }) => name.startsWith(parent)) }
      },
      getUseCase({ name }) {
        const useCase = useCases.get(name)
        if (useCase === undefined) throw refusal(Code.NotFound, 'USE_CASE_NOT_FOUND', `there is no use case ${name}`)
        return { useCase }
      },
      updateUseCase({ useCase, validateOnly }) {
        const asked = useCase!
        if (asked.spec?.source?.topic === '')
          throw refusal(Code.InvalidArgument, 'INVALID_REQUEST', 'wrong', 'use_case.spec.source.topic')
        if (!validateOnly) useCases.set(asked.name, asked)
        return { useCase: asked }
      },
      deleteUseCase({ name }) {
        if (name.endsWith('/busy')) throw refusal(Code.FailedPrecondition, 'DELIVERIES_WAITING', '3 deliveries wait')
        const useCase = useCases.get(name)!
        useCases.delete(name)
        return { useCase }
      },
    })
    router.service(RetryBatchService, {
      planRetryBatch: () => ({ selected: 10n, bytesInKafka: 8n, payloadExpired: 2n }),
      createRetryBatch: ({ retryBatch }) => ({
        retryBatch: { ...retryBatch!, name: 'namespaces/shop/useCases/orders/retryBatches/b1' },
      }),
      getRetryBatch({ name }) {
        delivered += 5n
        const state = delivered < 10n ? RetryBatchState.RUNNING : RetryBatchState.DONE
        return { retryBatch: { name, state, selected: 10n, delivered } }
      },
    })
  })
})
afterAll(() => server[Symbol.asyncDispose]())
beforeEach(() => {
  useCases.clear()
  given.length = 0
  delivered = 0n
})

function refusal(code: Code, reason: string, message: string, field?: string): ConnectError {
  const info = { desc: ErrorInfoSchema, value: { reason, domain: 'ferry' } }
  const violations =
    field === undefined
      ? []
      : [{ desc: BadRequestSchema, value: { fieldViolations: [{ field, description: `${field} must be a topic` }] } }]
  return new ConnectError(message, code, undefined, [info, ...violations])
}

const ferry: TestServer['ferry'] = (...args) => server.ferry(...args)

function withInput(stdin: string, more: Partial<Pick<TestTerminal, 'isInteractive' | 'answer'>> = {}): TestTerminal {
  return Object.assign(new TestTerminal(), { stdin, ...more })
}

const orders = 'name: orders\nspec: {source: {topic: orders}}\n'

test('apply shows what would change, asks, and does nothing without a yes', async () => {
  const refused = await ferry('apply -f -', withInput(orders))
  expect(refused).toMatchObject({ exitCode: 2, printed: 'create shop/orders  (standard input):1\n' })
  expect(refused.said).toContain('give --yes')
  const no = await ferry('apply -f -', withInput(orders, { isInteractive: true, answer: false }))
  expect(no).toMatchObject({ exitCode: 1, said: expect.stringContaining('nothing was done') })
  expect(no.terminal.questions).toEqual(['Apply 1 change?'])
  expect((await ferry('apply -f - --dry-run', withInput(orders))).exitCode).toBe(0)
  expect(useCases.size).toBe(0)
})

test('apply changes what differs, and the second time nothing', async () => {
  expect((await ferry('apply -f - --yes', withInput(orders))).printed).toContain('created shop/orders\n')
  expect((await ferry('apply -f - --yes', withInput(orders))).printed).toBe('same   shop/orders  (standard input):1\n')
  const changed = await ferry('apply -f - --yes', withInput(orders.replace('{topic: orders}', '{topic: orders2}')))
  expect(changed.printed).toBe(
    'change shop/orders  (standard input):1\n       ~ spec.source.topic: "orders" -> "orders2"\nchanged shop/orders\n',
  )
})

test('what the server refuses is said with the line of the field, and nothing is changed', async () => {
  const wrong = await ferry('apply -f - --yes', withInput(`${orders}---\nname: b\nspec:\n  source: {topic: ""}\n`))
  expect(wrong.exitCode).toBe(2)
  expect(wrong.said).toBe('error: 1 mistake; nothing was changed\n  (standard input):6: spec.source.topic: must be a topic\n')
  expect(useCases.size).toBe(0)
})

test('--prune deletes what its namespace has and no file, goes on past what it cannot, and leaves other namespaces alone', async () => {
  for (const name of ['shop/useCases/old', 'shop/useCases/busy', 'crm/useCases/old'])
    useCases.set(`namespaces/${name}`, create(UseCaseSchema, { name: `namespaces/${name}` }))
  const pruned = await ferry('apply -f - --prune --yes', withInput(orders))
  expect(pruned.exitCode).toBe(1)
  expect(pruned.printed).toContain('deleted shop/old')
  expect(pruned.said).toMatch(/failed shop\/busy: 3 deliveries wait\n {2}.*--force/)
  expect([...useCases.keys()].sort()).toEqual(
    ['crm', 'shop', 'shop'].map((space, index) => `namespaces/${space}/useCases/${['old', 'busy', 'orders'][index]}`),
  )
  const foreign = await ferry('apply -f - --prune --yes', withInput(orders.replace('orders', 'crm/orders')))
  expect(foreign).toMatchObject({ exitCode: 2, said: expect.stringContaining('is not in namespace shop') })
})

test('retry shows the plan, and follows the batch to its end', async () => {
  const done = await ferry('retry orders --status 422 --reason mended --yes')
  expect(done).toMatchObject({ exitCode: 0, printed: 'done shop/orders/b1: 10 of 10 delivered\n' })
  expect(done.said).toContain('bytes gone        2')
  expect(done.terminal.progressLines[0]).toContain('5 / 10   50%')
})

test('Ctrl-C leaves the batch running and says how to follow it', async () => {
  const terminal = new TestTerminal()
  terminal.progress = () => terminal.interrupt()
  const left = await ferry('retry orders --reason mended --yes', terminal)
  expect(left.exitCode).toBe(130)
  expect(left.said).toContain('Follow it: ferry batches watch shop/orders/b1   Stop it: ferry batches cancel shop/orders/b1')
})

test('the exit code tells what went wrong, and the error what to do', async () => {
  expect(await ferry('get nothing')).toMatchObject({ exitCode: 7, said: expect.stringContaining('ferry get') })
  const away = await ferry('get', undefined, { FERRY_ADDRESS: '127.0.0.1:1' })
  expect(away).toMatchObject({
    exitCode: 5,
    said: expect.stringMatching(/cannot reach the control plane at 127.0.0.1:1: nothing listens.*\n.*FERRY_ADDRESS/),
  })
  expect(await ferry('workers')).toMatchObject({ exitCode: 1, said: expect.stringContaining('older than this command') })
  expect(await ferry('gett')).toMatchObject({ exitCode: 2, said: expect.stringContaining('Did you mean get?') })
  expect(await ferry('get -o xml')).toMatchObject({ exitCode: 2 })
  expect(await ferry('--help')).toMatchObject({ exitCode: 0, said: '' })
})

test('the token goes along, and JSON and YAML are what the contract says', async () => {
  useCases.set('a', create(UseCaseSchema, { name: 'namespaces/shop/useCases/orders', spec: { source: { topic: 'orders' } } }))
  const json = await ferry('get -o json', undefined, { FERRY_TOKEN: 'secret' })
  expect(given).toEqual(['Bearer secret'])
  expect(JSON.parse(json.printed)).toEqual([{ name: 'namespaces/shop/useCases/orders', spec: { source: { topic: 'orders' } } }])
  const yaml = await ferry('get -o yaml')
  expect(yaml.printed).toBe('---\nname: namespaces/shop/useCases/orders\nspec:\n  source:\n    topic: orders\n')
  // What was printed can be applied.
  expect((await ferry('apply -f - --dry-run', withInput(yaml.printed))).exitCode).toBe(0)
})

test('the shell completes commands, flags, choices and names', async () => {
  useCases.set('a', create(UseCaseSchema, { name: 'namespaces/shop/useCases/orders' }))
  const complete = async (...words: string[]): Promise<string[]> => {
    const { printed } = await ferry(['__complete', '--', ...words])
    return printed.trimEnd().split('\n')
  }
  expect(await complete('ba')).toEqual(['batches'])
  expect(await complete('batches', '')).toEqual(['list', 'show', 'watch', 'items', 'pause', 'resume', 'cancel'])
  expect(await complete('pause', '--re')).toEqual(['--reason'])
  expect(await complete('completion', '')).toEqual(['bash', 'zsh', 'fish'])
  expect(await complete('describe', 'o')).toEqual(['orders'])
  expect(await complete('describe', 'shop/')).toEqual(['shop/orders'])
  expect(await complete('apply', '-f', '')).toEqual([''])
})
