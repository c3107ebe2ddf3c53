import { Code, ConnectError } from '@connectrpc/connect'
import { expect, test } from 'vitest'
import { Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { DeliveryService } from '../../proto/gen/ferry/v1/delivery_service_pb.ts'
import { FleetService } from '../../proto/gen/ferry/v1/fleet_service_pb.ts'
import type { TailRequest } from '../../proto/gen/ferry/v1/tail_pb.ts'
import { TestServer } from '../test-server.ts'
import { TestTerminal } from '../test-terminal.ts'

const attempt = {
  partition: 3,
  offset: 5n,
  attempt: 1,
  outcome: Outcome.FAILED,
  status: 422,
  key: 'k1',
  responseBody: 'no such\n customer',
}

test('attempts are shown as they come, a stream that breaks off is opened again, and Ctrl-C ends it', async () => {
  const asked: TailRequest[] = []
  const terminal = new TestTerminal()
  terminal.out = (text) => {
    terminal.printed += text
    if (text.includes('3/6')) terminal.interrupt()
  }
  await using server = await TestServer.start((router) => {
    router.service(DeliveryService, {
      async *tail(request, { signal }) {
        asked.push(request)
        yield {}
        if (asked.length === 1) {
          yield { attempts: [attempt], skipped: 2n }
          throw new ConnectError('the server stops', Code.Unavailable)
        }
        yield { attempts: [{ ...attempt, offset: 6n }] }
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
    })
  })
  const done = await server.ferry('tail orders --outcome failed --limit 7', terminal)
  expect(done.exitCode).toBe(130)
  expect(done.printed).toMatch(/^.*3\/5 .*FAILED .*422 .*k1 .*no such customer\n.*3\/6 .*\n$/)
  expect(done.said).toContain('2 more are not shown')
  expect(done.said).toContain('the connection is lost')
  expect(asked).toMatchObject([
    { useCase: 'namespaces/shop/useCases/orders', filter: { outcomes: [Outcome.FAILED] }, attemptsPerSecondMax: 7 },
    {},
  ])
})

test('a tail ends by itself after the time it is given, and refuses what the server refuses', async () => {
  await using server = await TestServer.start((router) => {
    router.service(DeliveryService, {
      async *tail({ useCase }, { signal }) {
        if (useCase.endsWith('/secret')) throw new ConnectError('another namespace', Code.PermissionDenied)
        yield { attempts: [attempt] }
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
    })
  })
  const done = await server.ferry('tail orders --for 200ms -o json')
  expect(done.exitCode).toBe(0)
  expect(JSON.parse(done.printed)).toMatchObject({ partition: 3, offset: '5', outcome: 'OUTCOME_FAILED' })
  expect((await server.ferry('tail secret')).exitCode).toBe(6)
})

test('changes say who did what, and what has changed field by field', async () => {
  await using server = await TestServer.start((router) => {
    router.service(FleetService, {
      listChanges: ({ actions }) => ({
        changes: [
          {
            ...{
              actor: 'tokens/ci for ann',
              action: actions[0]!,
              resource: 'namespaces/shop/useCases/orders',
              reason: 'slower',
              revision: 3n,
            },
            ...{ before: '{"spec":{"retry":{"maxRetries":3}}}', after: '{"spec":{"retry":{"maxRetries":5}}}' },
          },
        ],
      }),
    })
  })
  expect((await server.ferry('changes --action update')).printed).toMatch(
    /tokens\/ci for ann +UPDATE +shop\/orders +3 +slower\n$/,
  )
  expect((await server.ferry('changes --action update --differences')).printed).toMatch(
    /UPDATE shop\/orders {2}slower\n +~ spec.retry.maxRetries: 3 -> 5\n$/,
  )
})
