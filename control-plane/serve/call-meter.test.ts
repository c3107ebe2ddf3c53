import { Code, createClient } from '@connectrpc/connect'
import { expect, test } from 'vitest'
import { UseCaseService } from '../../proto/gen/ferry/v1/use_case_service_pb.ts'
import { Metrics } from '../../runtime/metrics/metrics.ts'
import { registerApi } from '../metrics/api-metrics.ts'
import { CallMeter } from './call-meter.ts'
import { startTestServer } from './start-test-server.ts'

test('calls count by method and by the code that their caller got, whichever way they came', async () => {
  const calls = new CallMeter()
  const server = await startTestServer({}, calls)
  const clients = [server.grpc, server.json].map((each) => createClient(UseCaseService, each))
  const call = (at: number, id: string) => clients[at]!.getUseCase({ name: `namespaces/shop/useCases/${id}` })
  await call(0, 'there')
  await call(1, 'there')
  await expect(call(0, 'missing')).rejects.toMatchObject({ code: Code.NotFound })
  await expect(call(1, 'boom')).rejects.toMatchObject({ code: Code.Internal })
  await expect(clients[0]!.deleteUseCase({ name: 'namespaces/shop/useCases/a' })).rejects.toMatchObject({
    code: Code.Unimplemented,
  })
  await server.close()
  const metrics = new Metrics()
  registerApi(metrics, calls)
  const lines = (await metrics.registry.metrics()).split('\n')
  const found = lines.filter((line) => line.startsWith('ferry_api_calls_total{') && line.includes('"GetUseCase"'))
  expect(found.map((line) => line.replace('service="UseCaseService",method="GetUseCase",', '')).sort()).toEqual([
    'ferry_api_calls_total{code="INTERNAL"} 1',
    'ferry_api_calls_total{code="NOT_FOUND"} 1',
    'ferry_api_calls_total{code="OK"} 2',
  ])
  expect(lines).toContain('ferry_api_call_duration_seconds_count{service="UseCaseService",method="GetUseCase"} 4')
  expect(lines).toContain('ferry_api_calls_in_flight{service="UseCaseService",method="GetUseCase"} 0')
})
