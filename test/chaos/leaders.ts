import type { FerryClient } from '../../deploy/local/demo/ferry-client.ts'
import type { ControlPlane } from '../../deploy/local/fleet.ts'
import { type LaneId, LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { Fleet } from '../harness/fleet.ts'
import { leaderOf, watchLanes } from '../harness/redis.ts'
import { waitUntil } from '../harness/wait-until.ts'
import { endsInOrder } from './ends-in-order.ts'
import type { Flow } from './flow.ts'
import type { Chaos } from './scenario.ts'

const electedMsMax = 30_000
const exitMsMax = 40_000
const seenMsMax = 20_000

export const leader = (fleet: Fleet): Promise<ControlPlane> => waitUntil('one leads', electedMsMax, () => leaderOf(fleet))

export const anotherLeads = (fleet: Fleet, { grpcAddress }: ControlPlane): Promise<ControlPlane> =>
  waitUntil('another leads', electedMsMax, async () => {
    const leads = await leaderOf(fleet)
    return leads.grpcAddress !== grpcAddress && leads
  })

/** Of a control plane that lives. */
export const livingClient = (fleet: Fleet): FerryClient =>
  fleet.clientOf(fleet.controlPlanes.find((each) => each.exit === undefined)!)

/** A call that is made again while control planes come and go. */
export const call = <T>(fleet: Fleet, what: string, ask: (client: FerryClient) => Promise<T>): Promise<T> =>
  waitUntil(what, electedMsMax, async () => ({ answer: await ask(livingClient(fleet)) })).then(({ answer }) => answer)

/** It is killed; when another leads, it comes back at its address. */
export async function replaceLeader(fleet: Fleet, victim: ControlPlane): Promise<void> {
  victim.kill('SIGKILL')
  await victim.waitExit(exitMsMax)
  await anotherLeads(fleet, victim)
  await fleet.startControlPlane(victim.ports)
}

/** A worker comes, or one leaves: lanes move. The answer resolves when it has come, or has gone with exit code 0. */
export function move({ fleet, random }: Chaos, how: 'JOIN' | 'LEAVE'): () => Promise<void> {
  if (how === 'JOIN') {
    const joined = fleet.startWorker()
    // Told to whoever waits for it.
    joined.catch(() => {})
    return async () => void (await joined)
  }
  const worker = random.pick(fleet.workers.filter((each) => each.exit === undefined))
  worker.kill('SIGTERM')
  return () => endsInOrder(worker, exitMsMax)
}

/** Moments of a move, in their order; each resolves at the first of a lane. Asked before the move begins. */
export type Phase = 'a worker is told to drain' | 'a lane drains' | 'a lane is released' | 'a lane has started'

/** Answers what waits for the phase, from the state of now. */
export async function expectPhase({ fleet, flows }: Chaos, phase: Phase): Promise<() => Promise<unknown>> {
  const leads = fleet.clientOf(await leader(fleet))
  const lanes = flows.flatMap(lanesOf)
  const owners = new Map((await leads.fleet.listLanes({})).lanes.map((lane) => [nameOf(lane.id!), lane.worker]))
  const workers = JSON.stringify(await workersOf(leads))
  switch (phase) {
    case 'a worker is told to drain':
      return () => waitUntil(phase, seenMsMax, async () => JSON.stringify(await workersOf(leads)) !== workers)
    case 'a lane drains':
      return () =>
        waitUntil(phase, seenMsMax, async () =>
          (await leads.fleet.listLanes({})).lanes.some(({ state }) => state === LaneState.DRAINING),
        )
    case 'a lane is released':
      return () => watchLanes(fleet, lanes, phase, ({ clean }) => clean === '1')
    case 'a lane has started':
      return () => watchLanes(fleet, lanes, phase, ({ owner }, id) => owner !== owners.get(nameOf(id)))
  }
}

const workersOf = async (client: FerryClient): Promise<string[]> =>
  (await client.fleet.listWorkers({})).workers.map(({ instance, draining }) => `${instance} ${draining}`)

const nameOf = ({ uid, partition }: Pick<LaneId, 'uid' | 'partition'>): string => `${uid}/${partition}`

const lanesOf = ({ useCase, topic }: Flow): LaneId[] =>
  Array.from({ length: topic.partitions }, (_, partition) => ({
    $typeName: 'ferry.v1.LaneId',
    ...{ uid: useCase.uid, cluster: 'default', topic: topic.name, partition },
  }))
