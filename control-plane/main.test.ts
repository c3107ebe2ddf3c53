import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { Code, createClient } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type ControlPlane, type FleetStack, startControlPlane } from '../deploy/local/fleet.ts'
import type { Stack } from '../deploy/local/stack.ts'
import { FleetService } from '../proto/gen/ferry/v1/fleet_service_pb.ts'
import { LaneState } from '../proto/gen/ferry/v1/lane_pb.ts'
import { StartPosition, UseCaseSchema } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { UseCaseService } from '../proto/gen/ferry/v1/use_case_service_pb.ts'
import { HeartbeatRequestSchema, type HeartbeatResponse, WorkerService } from '../proto/gen/ferry/v1/worker_service_pb.ts'
import { createGrpcJsTransport, type GrpcJsTransport } from '../proto/grpc-transport.ts'
import { laneKeys, leaseKey } from '../runtime/lane-keys.ts'
import { connectRedis, type Redis } from '../runtime/redis.ts'
import { privateStack, sharedStack } from '../test/stack.ts'
import { silentLog, TestFleet } from './fleet/test-fleet.ts'

const readyMs = 60_000
const dataDir = mkdtempSync(join(tmpdir(), 'ferry-test-'))
let parts: Stack & AsyncDisposable
let stack: FleetStack
let kafka: TestFleet
let redis: Redis
const started: ControlPlane[] = []
const transports: GrpcJsTransport[] = []

beforeAll(async () => {
  const shared = await sharedStack()
  parts = await privateStack({ redis: true })
  stack = { ...shared, redisUrl: parts.redisUrl }
  kafka = await TestFleet.open()
  redis = connectRedis(stack.redisUrl, 2000, silentLog)
}, 120_000)

afterAll(async () => {
  for (const transport of transports) transport.close()
  await Promise.all(started.map((each) => each.stop(10_000)))
  redis.disconnect()
  await kafka.close()
  await parts[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true, force: true })
})

async function controlPlane(env: Record<string, string> = {}): Promise<ControlPlane> {
  const name = `control-plane-${started.length}`
  const more = { FERRY_LEADER_LEASE: '1s', FERRY_HEARTBEAT_TIMEOUT: '2s', FERRY_GATHER_TIME: '0ms', ...env }
  const process = await startControlPlane(stack, { name, dataDir, database: kafka.database, env: more })
  started.push(process)
  return process
}

function clientsOf(process: ControlPlane) {
  const transport = createGrpcJsTransport(process.grpcAddress, { reconnectIntervalMaxMs: 200 })
  transports.push(transport)
  return {
    useCases: createClient(UseCaseService, transport),
    workers: createClient(WorkerService, transport),
    fleet: createClient(FleetService, transport),
  }
}

const leads = async (process: ControlPlane): Promise<boolean> =>
  /^ferry_leader 1$/m.test(await (await fetch(`${process.httpUrl}/metrics`)).text())

/** A worker that says what it is given to say. */
class Speaker {
  readonly instance = randomBytes(8).toString('hex')
  #sequence = 0n
  assignments: HeartbeatResponse['assignments'] = []
  #version = 0n
  complete = true

  async beat(
    clients: ReturnType<typeof clientsOf>,
    more: MessageInitShape<typeof HeartbeatRequestSchema> = {},
  ): Promise<HeartbeatResponse> {
    await redis.set(leaseKey(this.instance), 'alive', 'PX', 20_000)
    const lanes = this.assignments.map(({ id, epoch }) => ({ id: id!, epoch, state: LaneState.RUNNING }))
    const request = { instance: this.instance, sequence: ++this.#sequence, protocolVersion: 1, complete: this.complete, lanes }
    const reply = await clients.workers.heartbeat(
      create(HeartbeatRequestSchema, { ...request, assignmentVersion: this.#version, ...more }),
      { timeoutMs: 5000 },
    )
    this.complete = reply.sendComplete
    if (reply.changed) {
      this.assignments = reply.assignments
      this.#version = reply.assignmentVersion
    }
    return reply
  }
}

test('two replicas serve one fleet, and lanes stay where they are when the leader freezes, thaws and is killed', async () => {
  const first = await controlPlane()
  await first.waitReady(readyMs)
  const second = await controlPlane()
  await second.waitReady(readyMs)
  expect(await leads(first)).toBe(true)
  const leader = clientsOf(first)
  const follower = clientsOf(second)

  // Created and asked about at a replica that does not lead; registered when the answer comes.
  const topic = await kafka.topic(2, 3)
  const name = 'namespaces/test/useCases/orders'
  const start = { case: 'position', value: StartPosition.LATEST } as const
  const spec = {
    source: { topic, start },
    decode: { format: { case: 'json', value: {} } },
    destination: { url: 'http://127.0.0.1:1/' },
  }
  const { useCase } = await follower.useCases.createUseCase({ useCase: create(UseCaseSchema, { name, spec } as never) })
  const lane = { uid: useCase!.uid, cluster: 'default', topic, partition: 1 }
  expect(await redis.hget(laneKeys(lane).lane, 'cursor')).toBe('3')
  const fetched = await follower.workers.fetchUseCases({ uids: [useCase!.uid, 'unknown'] })
  expect(fetched.useCases.map((each) => each.name)).toEqual([name])

  const stranger = { instance: 'stranger', sequence: 1n, protocolVersion: 1, complete: true }
  await expect(leader.workers.heartbeat(stranger)).rejects.toMatchObject({ code: Code.FailedPrecondition })
  expect((await leader.fleet.listWorkers({})).workers).toEqual([])

  const worker = new Speaker()
  await vi.waitFor(
    async () => {
      await worker.beat(follower)
      expect(worker.assignments).toHaveLength(2)
    },
    { timeout: 10_000 },
  )
  expect(worker.assignments[0]).toMatchObject({ releasedVersion: 1n, maxInFlight: 1024, parkedMax: 50_000n, creditMax: 50 })
  await worker.beat(leader)
  const { lanes } = await follower.fleet.listLanes({ useCase: name })
  expect(lanes.map((each) => [each.id!.partition, each.state, each.worker])).toEqual([
    [0, LaneState.RUNNING, worker.instance],
    [1, LaneState.RUNNING, worker.instance],
  ])
  expect((await follower.fleet.listWorkers({})).workers).toMatchObject([{ instance: worker.instance, lanes: 2 }])

  const epochs = worker.assignments.map(({ epoch }) => epoch)
  first.kill('SIGSTOP')
  await vi.waitFor(async () => expect(await leads(second)).toBe(true), { timeout: 15_000 })
  await vi.waitFor(() => worker.beat(follower), { timeout: 10_000 })
  first.kill('SIGCONT')
  await vi.waitFor(async () => expect(await leads(first)).toBe(false), { timeout: 10_000 })
  // The former leader hands on what it would have answered itself.
  await vi.waitFor(() => worker.beat(leader), { timeout: 10_000 })
  await worker.beat(follower)
  expect(worker.assignments.map(({ epoch }) => epoch)).toEqual(epochs)

  second.kill('SIGKILL')
  await vi.waitFor(async () => expect(await leads(first)).toBe(true), { timeout: 15_000 })
  await vi.waitFor(() => worker.beat(leader), { timeout: 10_000 })
  await worker.beat(leader)
  expect(worker.assignments.map(({ epoch }) => epoch)).toEqual(epochs)

  expect(await first.stop(20_000)).toEqual({ code: 0, signal: null })
  expect(await redis.exists('ferry:{control}:leader')).toBe(0)
}, 120_000)

test('a worker of another protocol version, and an expelled one, are told what to do', async () => {
  const process = await controlPlane()
  await process.waitReady(readyMs)
  const clients = clientsOf(process)
  const worker = new Speaker()
  await expect(worker.beat(clients, { protocolVersion: 2 })).rejects.toMatchObject({
    code: Code.FailedPrecondition,
    message: expect.stringContaining('protocol version 1'),
  })
  await redis.set(leaseKey('expelled-one'), 'expelled', 'PX', 20_000)
  await expect(worker.beat(clients, { instance: 'expelled-one' })).rejects.toMatchObject({
    code: Code.FailedPrecondition,
    message: expect.stringContaining('start as a new instance'),
  })
  await process.stop(20_000)
}, 120_000)

test('with everything away it lives, says what it waits for, and ends in order', async () => {
  const away = {
    FERRY_KAFKA_BROKERS: '127.0.0.1:1',
    FERRY_REDIS_URL: 'redis://127.0.0.1:1',
    FERRY_CLICKHOUSE_URL: 'http://127.0.0.1:1',
  }
  const process = await controlPlane({ ...away, FERRY_REDIS_TIMEOUT: '500ms' })
  await vi.waitFor(async () => expect((await fetch(`${process.httpUrl}/healthz`)).status).toBe(200), { timeout: readyMs })
  await vi.waitFor(
    async () => {
      const answer = await fetch(`${process.httpUrl}/readyz`)
      const text = await answer.text()
      expect(answer.status).toBe(503)
      for (const what of ['Redis answers: no', 'Kafka answers: no', 'ClickHouse', 'who leads']) expect(text).toContain(what)
    },
    { timeout: 20_000 },
  )
  await expect(new Speaker().beat(clientsOf(process))).rejects.toMatchObject({ code: Code.Unavailable })
  expect(await process.stop(20_000)).toEqual({ code: 0, signal: null })
}, 120_000)

test('every mistake of the configuration is told at once', async () => {
  const process = await controlPlane({ FERRY_GRPC_ADDRESS: 'here', FERRY_LEADER_LEASE: '1h', FERRY_LOG_LEVEL: 'loud' })
  expect(await process.waitExit(readyMs)).toEqual({ code: 2, signal: null })
  for (const name of ['FERRY_GRPC_ADDRESS', 'FERRY_LEADER_LEASE', 'FERRY_LOG_LEVEL'])
    expect(process.describeEnd()).toContain(name)
}, 120_000)
