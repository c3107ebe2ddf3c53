import { setTimeout as sleep } from 'node:timers/promises'
import type { LocalProcess } from '../../deploy/local/local-process.ts'
import type { Part } from '../../deploy/local/part.ts'
import { Ordering } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { LinkName } from '../harness/fleet.ts'
import type { LinkState } from '../harness/link.ts'
import { createBatch } from '../harness/retry-batch.ts'
import { call, leader } from './leaders.ts'
import type { Chaos } from './scenario.ts'

type Action = (chaos: Chaos) => Promise<void>

const exitMsMax = 30_000
const workersMax = 6
const flowsMax = 6

const living = ({ fleet }: Chaos) => fleet.workers.filter((each) => each.exit === undefined)

const moreWorkers: Action = async (chaos) => {
  if (living(chaos).length < workersMax) await chaos.fleet.startWorker()
}

const fewerWorkers =
  (signal: 'SIGTERM' | 'SIGKILL'): Action =>
  async (chaos) => {
    const victim = chaos.random.pick(living(chaos))
    victim.kill(signal)
    await victim.waitExit(exitMsMax)
    if (living(chaos).length === 0) await chaos.fleet.startWorker()
  }

const freeze =
  (of: (chaos: Chaos) => LocalProcess | Promise<LocalProcess>, fromMs: number, toMs: number): Action =>
  async (chaos) => {
    const victim = await of(chaos)
    victim.kill('SIGSTOP')
    await sleep(chaos.random.int(fromMs, toMs))
    victim.kill('SIGCONT')
  }

const restart =
  (part: (chaos: Chaos) => Part, how: 'kill' | 'stop'): Action =>
  async (chaos) => {
    await part(chaos)[how]()
    await sleep(chaos.random.int(0, 5000))
    await part(chaos).start()
  }

const disturb =
  (name: LinkName, state: LinkState, toMs: number): Action =>
  async ({ fleet, random }) => {
    fleet.link(name).state = state
    await sleep(random.int(100, toMs))
    // What waits for an answer of a request that was carried out never gets it.
    if (state === 'STALL_ANSWERS') fleet.link(name).cut()
    fleet.link(name).state = 'PASS'
  }

const restartControlPlane: Action = async ({ fleet, random }) => {
  const victim = random.pick(fleet.controlPlanes)
  victim.kill(random.pick(['SIGTERM', 'SIGKILL'] as const))
  await victim.waitExit(exitMsMax)
  await fleet.startControlPlane(victim.ports)
}

const endpointDown: Action = async ({ flows, random }) => {
  const { endpoint } = random.pick(flows)
  await endpoint.goDown()
  await sleep(random.int(100, 6000))
  await endpoint.goUp()
}

const pause: Action = async ({ fleet, flows, random }) => {
  const { name } = random.pick(flows).useCase
  await call(fleet, 'pause', ({ useCases }) => useCases.pauseUseCase({ name, reason: 'chaos' }))
  await sleep(random.int(100, 4000))
  await call(fleet, 'resume', ({ useCases }) => useCases.resumeUseCase({ name }))
}

const update: Action = async ({ fleet, flows, random }) => {
  const { useCase, endpoint } = random.pick(flows)
  const destination = { url: endpoint.url, headers: { 'x-chaos': String(random.int(1, 1000)) } }
  const change = { useCase: { name: useCase.name, spec: { destination } }, updateMask: { paths: ['spec.destination'] } }
  await call(fleet, 'update', ({ useCases }) => useCases.updateUseCase(change))
}

const register: Action = async ({ flows, random, startFlow }) => {
  if (flows.length >= flowsMax) return
  const ordering = random.pick([Ordering.KEY, Ordering.UNORDERED])
  await startFlow({ ordering, perSecond: 50, partitions: random.int(1, 4), publishedBefore: random.int(0, 500) })
}

/** It is judged no more: what it left undone ends as SKIPPED, which other tests show. */
const remove: Action = async ({ fleet, flows, random }) => {
  if (flows.length < 4) return
  const [flow] = flows.splice(random.int(2, flows.length - 1), 1)
  await call(fleet, 'delete', ({ useCases }) => useCases.deleteUseCase({ name: flow!.useCase.name, force: true }))
  await flow![Symbol.asyncDispose]()
}

const widen: Action = async ({ flows, random }) => {
  await random.pick(flows).widen(random.int(1, 2))
}

/** Some records fail for good meanwhile, and are opened again. */
const retry: Action = async ({ fleet, flows, random }) => {
  const { endpoint, useCase } = random.pick(flows)
  const good = endpoint.behaviour
  endpoint.behaviour = (request) => (request.offset % 7 === 0 ? { status: 422 } : good(request))
  await sleep(random.int(1000, 4000))
  endpoint.behaviour = good
  await call(fleet, 'retry batch', () => createBatch(fleet, useCase))
}

const actions: Readonly<Record<string, Action>> = {
  'a worker starts': moreWorkers,
  'a worker is told to stop': fewerWorkers('SIGTERM'),
  'a worker is killed': fewerWorkers('SIGKILL'),
  'a worker freezes for a moment': freeze((chaos) => chaos.random.pick(living(chaos)), 100, 1500),
  'a worker freezes past its lease': freeze((chaos) => chaos.random.pick(living(chaos)), 4000, 8000),
  'the leader freezes': freeze(({ fleet }) => leader(fleet), 1000, 6000),
  'a control plane restarts': restartControlPlane,
  'Redis is killed': restart(({ fleet }) => fleet.own.redis, 'kill'),
  'Redis restarts': restart(({ fleet }) => fleet.own.redis, 'stop'),
  'ClickHouse is killed': restart(({ fleet }) => fleet.own.clickhouse, 'kill'),
  'Kafka restarts': restart(({ fleet }) => fleet.own.kafka, 'stop'),
  'workers do not reach Redis': disturb('worker-redis', 'REFUSE', 5000),
  'Redis does not answer workers': disturb('worker-redis', 'STALL_ANSWERS', 4000),
  'packets to Redis get lost': disturb('worker-redis', 'STALL', 4000),
  'workers do not reach ClickHouse': disturb('worker-clickhouse', 'REFUSE', 8000),
  'ClickHouse does not answer workers': disturb('worker-clickhouse', 'STALL_ANSWERS', 6000),
  'packets to Kafka get lost': disturb('kafka', 'STALL', 6000),
  'workers do not reach a control plane': disturb('worker-control-plane', 'REFUSE', 8000),
  'heartbeats get no answer': disturb('worker-control-plane', 'STALL_ANSWERS', 5000),
  'an endpoint is down': endpointDown,
  'a use case is paused and resumed': pause,
  'a use case is updated': update,
  'a use case is registered': register,
  'a use case is deleted': remove,
  'partitions are added': widen,
  'a retry batch': retry,
}

/** Does one of them, which takes until it has healed; answers which. */
export async function act(chaos: Chaos): Promise<string> {
  const name = chaos.random.pick(Object.keys(actions))
  try {
    await actions[name]!(chaos)
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`)
  }
  return name
}
