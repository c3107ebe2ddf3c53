import { connect } from 'node:net'
import { Code, createClient } from '@connectrpc/connect'
import { expect, test } from 'vitest'
import { DeliveryService } from '../../proto/gen/ferry/v1/delivery_service_pb.ts'
import { UseCaseService } from '../../proto/gen/ferry/v1/use_case_service_pb.ts'
import { reasonOf } from './errors.ts'
import { startTestServer } from './start-test-server.ts'

const nameOf = (id: string) => ({ name: `namespaces/a/useCases/${id}` })

test('calls beyond the limit of their service are refused, those of another service are served, and room comes back', async () => {
  const test = await startTestServer({ callsPerServiceMax: 3 })
  try {
    const grpc = createClient(UseCaseService, test.grpc)
    const json = createClient(UseCaseService, test.json)
    const held = [grpc.getUseCase(nameOf('held')), json.getUseCase(nameOf('held')), grpc.getUseCase(nameOf('held'))]
    await expect.poll(() => test.state.started).toBe(3)
    for (const client of [grpc, json]) {
      const error = await client.getUseCase(nameOf('found')).catch((refused: unknown) => refused)
      expect(error).toMatchObject({ code: Code.ResourceExhausted })
      expect(reasonOf(error as never)).toBe('LIMIT_EXCEEDED')
    }
    await createClient(DeliveryService, test.grpc).getLag({ useCase: 'namespaces/a/useCases/b' })
    test.state.release()
    await Promise.all(held)
    // A call that fails gives its room back, too.
    for (let calls = 0; calls < 5; calls++) await grpc.getUseCase(nameOf('missing')).catch(() => {})
    await grpc.getUseCase(nameOf('found'))
  } finally {
    await test.close()
  }
})

test('gRPC connections beyond the limit are closed as they come, and a place that is left is given again', async () => {
  const test = await startTestServer({ connectionsMax: 2 })
  try {
    const open = (): Promise<ReturnType<typeof connect>> =>
      new Promise((resolve, reject) => {
        const socket = connect(test.server.grpcPort, '127.0.0.1', () => resolve(socket))
        socket.once('error', reject)
        socket.resume()
      })
    const stays = await open()
    const leaves = await open()
    const refused = await open()
    await new Promise<void>((resolve) => refused.once('close', () => resolve()))
    expect([stays.destroyed, leaves.destroyed]).toEqual([false, false])
    leaves.destroy()
    await expect
      .poll(() =>
        createClient(UseCaseService, test.grpc)
          .getUseCase(nameOf('found'))
          .then(
            () => true,
            () => false,
          ),
      )
      .toBe(true)
    stays.destroy()
  } finally {
    await test.close()
  }
})
