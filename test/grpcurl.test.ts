import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { DeliveryState } from '../proto/gen/ferry/v1/delivery_pb.ts'
import { DocumentedLines } from './harness/documented-lines.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { waitForBatch } from './harness/retry-batch.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { waitUntil } from './harness/wait-until.ts'
import { runCommand } from './run-command.ts'

const root = join(import.meta.dirname, '..')
const bin = join(root, '.local/bin')
const version = 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3'
const buildMsMax = 300_000

const fleetOf = fleetOfFile({ workers: 1 })

/** Why it cannot be had; undefined when it is there. */
let missing: string | undefined

beforeAll(async () => {
  if (existsSync(join(bin, 'grpcurl'))) return
  const build = `GOBIN='${bin}' go install ${version}`
  const { exitCode, output } = await runCommand('bash', ['-c', `command -v go && ${build}`], buildMsMax, false)
  if (exitCode !== 0) missing = `there is no grpcurl in ${bin}, and it cannot be built (${build}): ${output}`
}, buildMsMax)

test('grpcurl lists every service, without any proto file', async (context) => {
  if (missing !== undefined) context.skip(missing)
  const [controlPlane] = fleetOf().controlPlanes
  using documented = new DocumentedLines([])
  const services = (await documented.run(`grpcurl -plaintext localhost:${controlPlane!.ports.grpc} list`)).trim().split('\n')
  const ferry = ['DeliveryService', 'FleetService', 'RetryBatchService', 'UseCaseService', 'VerificationService', 'WorkerService']
  expect(services).toEqual(expect.arrayContaining([...ferry.map((each) => `ferry.v1.${each}`), 'grpc.health.v1.Health']))
})

test('every line of the README and of the pages of verifications and retry batches that is marked as tested works as it is printed', async (context) => {
  if (missing !== undefined) context.skip(missing)
  const fleet = fleetOf()
  const [controlPlane] = fleet.controlPlanes
  await using endpoint = await Endpoint.start(({ offset }) => ({ status: offset % 5 === 0 ? 422 : 200 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(50))
  // As printed but for where things are: ports, and the topic, are this test's own.
  const places: [string, string][] = [
    ['localhost:7070', `localhost:${controlPlane!.ports.grpc}`],
    ['localhost:7071', `localhost:${controlPlane!.ports.http}`],
    ['localhost:7072', new URL(fleet.workers[0]!.httpUrl).host],
    ['localhost:9000', `localhost:${endpoint.port}`],
    ['"topic": "orders"', `"topic": "${topic.name}"`],
  ]
  using documented = new DocumentedLines(places)
  const lines = ['README.md', 'docs/verify.md', 'docs/retry-batches.md', 'docs/replay.md'].flatMap((page) =>
    documented.linesOf(page),
  )
  expect(lines.length).toBeGreaterThan(22)
  // A printed batch or replay stands for the one that was made last.
  let lastBatch = ''
  let lastReplay = ''
  const outputs = new Map<string, string>()
  for (const line of lines) {
    const [, method = 'list'] = /ferry\.v1\.(\w+\/\w+)/.exec(line) ?? []
    outputs.set(method, await documented.run(line.replace(/\brb-[\w-]+/, lastBatch).replace(/\bsh-[\w-]+/, lastReplay)))
    lastBatch = /retryBatches\/(rb-[\w-]+)/.exec(outputs.get('RetryBatchService/CreateRetryBatch') ?? '')?.[1] ?? ''
    lastReplay = /replays\/(sh-[\w-]+)/.exec(outputs.get('ReplayService/CreateReplay') ?? '')?.[1] ?? ''
    // The lines after it speak of what has been delivered by then.
    if (method === 'UseCaseService/CreateUseCase')
      await waitUntil('all is answered', 20_000, () => endpoint.requests.length >= 50)
    // Another batch of the same deliveries would be over with this one.
    if (method === 'RetryBatchService/CreateRetryBatch' && !line.includes('records_per_second'))
      await waitForBatch(fleet, `namespaces/shop/useCases/orders/retryBatches/${lastBatch}`, 30_000)
  }
  expect(outputs.get('UseCaseService/GetUseCase')).toContain('"namespaces/shop/useCases/orders"')
  expect(JSON.parse(outputs.get('FleetService/ListLanes')!).lanes).toHaveLength(2)
  expect(JSON.parse(outputs.get('DeliveryService/VerifyRange')!).total).toMatchObject({ published: '50' })
  expect(JSON.parse(outputs.get('VerificationService/ListVerifications')!).verifications).toHaveLength(1)
  expect(JSON.parse(outputs.get('VerificationService/ReconcileRecords')!).reconciliations).toMatchObject([
    { counts: { published: '20' } },
  ])
  expect(JSON.parse(outputs.get('RetryBatchService/CreateRetryBatch')!).retryBatch.name).toMatch(/\/retryBatches\//)
  expect(JSON.parse(outputs.get('ReplayService/CancelReplay')!).replay.state).toBe('REPLAY_STATE_CANCELLED')
  const cancelled = JSON.parse(outputs.get('RetryBatchService/CancelRetryBatch')!).retryBatch
  expect(cancelled.events.map(({ action }: { action: string }) => action.slice('RETRY_BATCH_ACTION_'.length))).toEqual([
    ...['CREATE', 'PAUSE', 'RESUME', 'CANCEL'],
  ])
  expect(JSON.parse(outputs.get('RetryBatchService/PlanRetryBatch')!)).toMatchObject({ samples: expect.any(Array) })
})

test('every line of the pages for operators that is marked as tested works as it is printed', { timeout: 240_000 }, async () => {
  const fleet = fleetOf()
  const [controlPlane] = fleet.controlPlanes
  const useCase = 'namespaces/shop/useCases/payments'
  const workerAddress = new URL(fleet.workers[0]!.httpUrl).host
  let isMended = false
  // Offsets 3 and 17 wait for another attempt; every fifth but the first is refused until the endpoint is mended.
  const statusOf = (offset: number): number =>
    offset === 3 || offset === 17 ? 503 : offset > 0 && offset % 5 === 0 && !isMended ? 422 : 200
  await using endpoint = await Endpoint.start(({ offset }) => ({ status: statusOf(offset), body: 'no such customer' }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(
    [0, 1].flatMap((partition) => jsonRecords(25).map((record, index) => ({ ...record, key: `k${index}`, partition }))),
  )
  using documented = new DocumentedLines(
    [
      ['localhost:7070', `localhost:${controlPlane!.ports.grpc}`],
      ['localhost:7071', `localhost:${controlPlane!.ports.http}`],
      ['localhost:7072', workerAddress],
      ['http://localhost:9000', `http://localhost:${endpoint.port}`],
      ['topic: payments', `topic: ${topic.name}`],
    ],
    { FERRY_ADDRESS: controlPlane!.grpcAddress, FERRY_NAMESPACE: 'shop' },
  )
  const isParked = async (partition: number, offset: number): Promise<boolean> => {
    const { delivery } = await fleet.client.deliveries.getDelivery({ useCase, partition, offset: BigInt(offset) })
    return delivery?.state === DeliveryState.PARKED
  }
  // By ferry, and by grpcurl where it is.
  const pauses = missing === undefined ? 2 : 1
  const hasPause = async (): Promise<boolean> =>
    (await fleet.client.fleet.listChanges({ useCase, actions: ['PAUSE'] })).changes.length >= pauses
  const outputs = new Map<string, string>()
  await documented.installFerry()
  documented.writeFilesOf('docs/cli.md')
  const lines = [...documented.linesOf('docs/cli.md'), ...documented.linesOf('docs/operations.md')]
  expect(lines.length).toBeGreaterThan(30)
  for (const line of lines) {
    if (missing !== undefined && line.startsWith('grpcurl')) continue
    // From here on the pages say that the endpoint is fixed.
    if (line.startsWith('ferry retry payments --status 422 --max')) isMended = true
    // The audit has a change within a second or two.
    if (line.startsWith('ferry changes')) await waitUntil('the pause is in the audit', 20_000, hasPause)
    outputs.set(line, await documented.run(line))
    if (line !== 'ferry apply -f shop.yaml --yes') continue
    await waitUntil('all is answered', 20_000, () => endpoint.requests.length >= 50)
    for (const [partition, offset] of [0, 1].flatMap((each) => [[each, 3] as const, [each, 17] as const]))
      await waitUntil(`${partition}/${offset} waits`, 20_000, () => isParked(partition, offset))
  }
  const said = (start: string): string => [...outputs].find(([line]) => line.startsWith(start))![1]
  expect(said('ferry apply -f shop.yaml --dry-run')).toMatch(/^create shop\/payments/)
  expect(said('ferry get payments -o yaml')).toMatch(/^same/)
  expect(said('ferry test')).toContain('means   DELIVERED')
  expect(said('ferry lag')).toContain('4 parked')
  expect(said('ferry deliveries')).toContain('PARKED')
  expect(said('ferry failures')).toContain('no such customer')
  expect(said('ferry show')).toContain('no such customer')
  expect(said('ferry verify payments 0/0-2')).toContain('complete: each of 3 records')
  expect(said('ferry retry payments --status 422 --dry-run')).toContain('8 failed deliveries')
  expect(said('ferry retry payments --status 422 --max')).toContain('1 of 1 delivered')
  expect(said('ferry pause')).toContain('paused until')
  expect(said(`curl -s localhost:${controlPlane!.ports.http}/readyz`)).toBe('{"ready":true,"reasons":[]}\n')
  expect(said(`curl -s ${workerAddress}/readyz`)).toContain('"status":"ready"')
  expect(said('ferry changes payments --limit')).toContain('the ledger is being moved')
})
