import { expect, test } from 'vitest'
import { ReplayState } from '../../proto/gen/ferry/v1/replay_pb.ts'
import { type CreateReplayRequest, ReplayService } from '../../proto/gen/ferry/v1/replay_service_pb.ts'
import { TestServer } from '../test-server.ts'

test('a replay takes ranges or a time, a URL and a pace, asks, and is followed to its end', async () => {
  const created: CreateReplayRequest[] = []
  const name = 'namespaces/shop/useCases/orders/replays/r1'
  let polls = 0
  await using server = await TestServer.start((router) => {
    router.service(ReplayService, {
      createReplay(request) {
        created.push(request)
        return { replay: { name, offsetCount: 10n } }
      },
      getReplay() {
        const state = ++polls > 1 ? ReplayState.DONE : ReplayState.RUNNING
        return { replay: { name, state, offsetCount: 10n, doneCount: 5n, delivered: 9n, failed: 1n } }
      },
      listReplays: () => ({ replays: [{ name, state: ReplayState.RUNNING, offsetCount: 10n, url: 'http://shadow/' }] }),
      cancelReplay: () => ({ replay: { name, state: ReplayState.CANCELLED, delivered: 2n } }),
    })
  })
  expect((await server.ferry('replay orders 0/5 --reason test')).exitCode).toBe(2)
  const done = await server.ferry('replay orders 0/5-14 1 --reason test --url http://shadow/ --rate 0.5 --yes')
  expect(done).toMatchObject({ exitCode: 4, printed: 'done shop/orders/r1: 9 delivered, 1 failed\n' })
  expect(done.terminal.progressLines[0]).toContain(' 5 / 10   50%')
  expect(created).toMatchObject([
    {
      replay: {
        ...{ useCase: 'namespaces/shop/useCases/orders', reason: 'test', url: 'http://shadow/', recordsPerSecond: 0.5 },
        ranges: [{ partition: 0, fromOffset: 5n, toOffset: 15n }, { partition: 1 }],
      },
    },
  ])
  for (const wrong of ['replay orders --reason x --yes', 'replay orders 0 --since 1h --reason x --yes'])
    expect((await server.ferry(wrong)).exitCode).toBe(2)
  expect((await server.ferry('replay orders --since 1h --reason x --yes --detach')).printed).toContain(
    'ferry replays watch shop/orders/r1',
  )
  expect(created[1]!.replay!.fromTime).toBeDefined()
  expect((await server.ferry('replays list orders')).printed).toMatch(/shop\/orders\/r1 +RUNNING +0\/10/)
  expect((await server.ferry('replays cancel orders/r1 --yes')).printed).toContain('cancelled shop/orders/r1: 2 delivered')
})
