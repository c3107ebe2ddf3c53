import { expect, test } from 'vitest'
import { FleetService } from '../../proto/gen/ferry/v1/fleet_service_pb.ts'
import { TestServer } from '../test-server.ts'

test('a worker is taken out after a question, ordered again when a new leader has not heard of it, and followed until it has no lanes', async () => {
  const orders: string[] = []
  const lists = [
    { instance: 'w1', lanes: 4, draining: false },
    { instance: 'w1', lanes: 2, draining: true },
    { instance: 'w1', lanes: 0, draining: true },
  ]
  await using server = await TestServer.start((router) => {
    router.service(FleetService, {
      drainWorker({ instance, reason }) {
        orders.push(`${instance} ${reason}`)
        return { worker: { instance, lanes: 4, draining: true } }
      },
      listWorkers: () => ({ workers: [lists.shift()!] }),
    })
  })
  expect((await server.ferry('drain w1')).exitCode).toBe(2)
  const done = await server.ferry('drain w1 --reason host --yes')
  expect(done).toMatchObject({ exitCode: 0, printed: 'w1 has no lanes: stop its process\n' })
  expect(done.terminal.progressLines.map((line) => /\d \/ 4/.exec(line)?.[0])).toEqual(['0 / 4', '2 / 4'])
  expect(orders).toEqual(['w1 host', 'w1 host'])
})
