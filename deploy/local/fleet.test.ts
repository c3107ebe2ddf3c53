import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { sharedStack } from '../../test/stack.ts'
import { startControlPlane, startWorker } from './fleet.ts'

const readyMsMax = 30_000
const stopMsMax = 30_000
const dataDir = mkdtempSync(join(tmpdir(), 'ferry-fleet-'))
afterAll(() => rmSync(dataDir, { recursive: true, force: true }))

test('a control plane and a worker say when they are ready, end with code 0 when asked, and start again at the same address', async () => {
  const stack = await sharedStack()
  const database = `fleet_${randomBytes(4).toString('hex')}`
  const controlPlane = await startControlPlane(stack, { name: 'control-plane', dataDir, database })
  const worker = await startWorker(stack, [controlPlane], { name: 'worker', dataDir, database })
  await controlPlane.waitReady(readyMsMax)
  await worker.waitReady(readyMsMax)
  for (const { httpUrl } of [controlPlane, worker]) expect((await fetch(`${httpUrl}/metrics`)).status).toBe(200)
  expect(await controlPlane.stop(stopMsMax)).toEqual({ code: 0, signal: null })
  const again = await startControlPlane(stack, { name: 'control-plane', dataDir, database, ports: controlPlane.ports })
  await again.waitReady(readyMsMax)
  expect(again.grpcAddress).toBe(controlPlane.grpcAddress)
  expect(await worker.stop(stopMsMax)).toEqual({ code: 0, signal: null })
  expect(await again.stop(stopMsMax)).toEqual({ code: 0, signal: null })
})

test('a bad configuration ends a process with code 2 before it is ready', async () => {
  const stack = { ...(await sharedStack()), redisUrl: 'nonsense' }
  const worker = await startWorker(stack, [{ grpcAddress: '127.0.0.1:1' }], { name: 'misled', dataDir })
  await expect(worker.waitReady(readyMsMax)).rejects.toThrow(/exit code 2[\s\S]*FERRY_REDIS_URL/)
})
