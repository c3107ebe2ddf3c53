import { setTimeout as sleep } from 'node:timers/promises'
import { Code, ConnectError } from '@connectrpc/connect'
import { startWorker, type Worker } from '../deploy/local/fleet.ts'
import { LaneState } from '../proto/gen/ferry/v1/lane_pb.ts'
import type { Load } from './load.ts'
import { LoadTestError } from './load-test-error.ts'
import type { LoadTestParts } from './load-test-parts.ts'
import { partitions } from './records.ts'
import { loadUseCase } from './use-case.ts'

const readyMsMax = 60_000
const stopMsMax = 60_000
const waitMsMax = 60_000
const pollMs = 50

/** Fresh workers, that run and hold nothing yet. With `profileDir` the first one leaves a CPU profile there when it ends. */
export async function startWorkers(parts: LoadTestParts, count: number, profileDir?: string): Promise<Worker[]> {
  const { dataDir, database, stack, controlPlane } = parts
  const workers: Worker[] = []
  for (let number = 1; number <= count; number++) {
    const nodeArgs = profileDir !== undefined && number === 1 ? ['--cpu-prof', `--cpu-prof-dir=${profileDir}`] : []
    const options = { name: parts.uniqueName('worker'), dataDir, database, nodeArgs, env: { FERRY_LOG_LEVEL: 'warn' } }
    workers.push(parts.keep(await startWorker(stack, [controlPlane], options)))
  }
  await Promise.all(workers.map((worker) => worker.waitReady(readyMsMax)))
  return workers
}

export async function stopWorkers(workers: readonly Worker[]): Promise<void> {
  const exits = await Promise.all(workers.map((worker) => worker.stop(stopMsMax)))
  if (exits.some(({ code }) => code !== 0))
    throw new LoadTestError(`a worker did not drain; see ${workers.map(({ errFile }) => errFile).join(', ')}`)
}

/** Registers the load as a use case; its records flow from then on. Answers name and uid. */
export async function register(parts: LoadTestParts, load: Load): Promise<{ name: string; uid: string }> {
  const name = `namespaces/loadtest/useCases/${parts.uniqueName('load')}`
  const { useCase } = await parts.client.useCases.createUseCase({ useCase: loadUseCase(name, load, parts.endpoint.url) })
  return { name, uid: useCase!.uid }
}

export async function waitLanesRun(parts: LoadTestParts, name: string): Promise<void> {
  await waitUntil(`all lanes of ${name} run`, async () => {
    const { lanes } = await parts.client.fleet.listLanes({ useCase: name })
    return lanes.filter(({ state }) => state === LaneState.RUNNING).length === partitions
  })
}

/** Deletes it, and waits until the workers have let it go. */
export async function unregister(parts: LoadTestParts, name: string): Promise<void> {
  await parts.client.useCases.deleteUseCase({ name, force: true })
  await waitUntil(`${name} is deleted`, () =>
    parts.client.useCases.getUseCase({ name }).then(
      () => false,
      (error) => ConnectError.from(error).code === Code.NotFound,
    ),
  )
}

export async function waitUntil(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + waitMsMax
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new LoadTestError(`waited ${waitMsMax / 1000} s until ${what}, in vain`)
    await sleep(pollMs)
  }
}
