import type { AddressInfo } from 'node:net'
import { createServer, connect as tcpConnect } from 'node:net'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Server, ServerCredentials, type sendUnaryData, status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { HeartbeatRequestSchema, HeartbeatResponseSchema } from '../../proto/gen/ferry/v1/worker_service_pb.ts'
import { ControlPlaneClient } from './control-plane-client.ts'

/** A replica that answers heartbeats, or says that it knows of no leader. */
async function startReplica(version: bigint | undefined) {
  const server = new Server()
  const heartbeat = {
    path: '/ferry.v1.WorkerService/Heartbeat',
    requestStream: false,
    responseStream: false,
    requestSerialize: (): Buffer => Buffer.alloc(0),
    requestDeserialize: (bytes: Buffer) => fromBinary(HeartbeatRequestSchema, bytes),
    responseSerialize: (reply: unknown): Buffer => Buffer.from(toBinary(HeartbeatResponseSchema, reply as never)),
    responseDeserialize: (): undefined => undefined,
  }
  server.addService({ heartbeat } as never, {
    heartbeat: (_call: unknown, answer: sendUnaryData<unknown>) =>
      version === undefined
        ? answer({ code: status.UNAVAILABLE, details: 'no replica leads' })
        : answer(null, create(HeartbeatResponseSchema, { assignmentVersion: version })),
  })
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  )
  return { port, stop: () => server.forceShutdown() }
}

/** Each connection leads to the next of the ports, as behind a plain TCP balancer. */
async function startBalancer(ports: readonly number[]) {
  let connections = 0
  const server = createServer((near) => {
    const far = tcpConnect(ports[connections++ % ports.length]!, '127.0.0.1')
    for (const socket of [near, far]) socket.on('error', () => {})
    near.pipe(far).pipe(near)
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    stop: () => server.close(),
  }
}

test('behind a balancer, a replica that knows no leader is left for another by a new connection', async () => {
  const lost = await startReplica(undefined)
  const good = await startReplica(7n)
  const balancer = await startBalancer([lost.port, good.port])
  const client = new ControlPlaneClient([`127.0.0.1:${balancer.port}`], 2000)
  const beat = () => client.heartbeat(create(HeartbeatRequestSchema, { instance: 'a', sequence: 1n, protocolVersion: 1 }))
  await expect(beat()).rejects.toThrow('no replica leads')
  expect((await beat()).assignmentVersion).toBe(7n)
  expect((await beat()).assignmentVersion).toBe(7n)
  // The one that answers is kept.
  expect(balancer.connections()).toBe(2)
  client.close()
  balancer.stop()
  lost.stop()
  good.stop()
})
