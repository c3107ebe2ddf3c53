import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from '../../../deploy/local/fleet.ts'
import { LaneState } from '../../../proto/gen/ferry/v1/lane_pb.ts'
import type { Fleet } from '../../harness/fleet.ts'
import { Link } from '../../harness/link.ts'
import { waitForLanes } from '../../harness/use-case.ts'
import { waitUntil } from '../../harness/wait-until.ts'
import { endsInOrder } from '../ends-in-order.ts'
import type { Flow } from '../flow.ts'
import { anotherLeads, call, expectPhase, leader, move, type Phase, replaceLeader } from '../leaders.ts'
import { type Chaos, scenario } from '../scenario.ts'

const leaderKilled = 'leader killed in each phase of a move'
const leaderFrozen = 'leader frozen and continued'
const splitViews = 'control planes with different views'
const allAway = 'all control planes away for minutes'
const rolling = 'rolling restart of everything'

/** Behind a plain TCP balancer, as in a cluster: a worker knows one address. */
const fleet = { controlPlanes: 3, links: ['worker-control-plane'] } as const
const ownLinks = { ...fleet, ownRedisLinks: true }
const repeats = 'NONE'

/** Past the leader's short lease: another has been elected, if one can be. */
const leaseMs = 2000
const exitMsMax = 20_000

const phases: readonly Phase[] = ['a worker is told to drain', 'a lane drains', 'a lane is released', 'a lane has started']

for (const phase of phases) {
  scenario(`the leader is killed when ${phase}`, { fault: leaderKilled, repeats, fleet }, async (chaos) => {
    for (const how of ['JOIN', 'LEAVE'] as const) {
      const victim = await leader(chaos.fleet)
      const seen = await expectPhase(chaos, phase)
      const moved = move(chaos, how)
      await seen()
      await replaceLeader(chaos.fleet, victim)
      await moved()
      await chaos.delivers(200)
    }
  })
}

scenario('the leader is killed at random moments of moves', { fault: leaderKilled, repeats, fleet }, async (chaos) => {
  for (let round = 0; round < 8; round++) {
    const victim = await leader(chaos.fleet)
    const moved = move(chaos, round % 2 === 0 ? 'JOIN' : 'LEAVE')
    await sleep(chaos.random.int(0, 1500))
    await replaceLeader(chaos.fleet, victim)
    await moved()
    await chaos.delivers(chaos.random.int(1, 100))
  }
})

scenario('the leader freezes past its lease while lanes move', { fault: leaderFrozen, repeats, fleet }, async (chaos) => {
  for (const how of ['LEAVE', 'JOIN', 'LEAVE'] as const) {
    const victim = await leader(chaos.fleet)
    const moved = move(chaos, how)
    await sleep(chaos.random.int(0, 500))
    victim.kill('SIGSTOP')
    await anotherLeads(chaos.fleet, victim)
    await sleep(chaos.random.int(0, 1500))
    victim.kill('SIGCONT')
    await moved()
    await chaos.delivers(100)
  }
})

scenario(
  'what an old leader writes arrives after another leads',
  { fault: leaderFrozen, repeats, fleet: ownLinks },
  async (chaos) => {
    for (let round = 0; round < 2; round++) {
      const victim = await leader(chaos.fleet)
      chaos.fleet.redisLinkOf(victim).state = 'STALL'
      // Lanes are let go at once, so that it wants to write down who gets them.
      const moved = move(chaos, 'LEAVE')
      await anotherLeads(chaos.fleet, victim)
      await sleep(chaos.random.int(0, 1000))
      chaos.fleet.redisLinkOf(victim).state = 'PASS'
      await moved()
      await chaos.fleet.startWorker()
      await chaos.delivers(100)
    }
  },
)

scenario('workers reach only a leader that has been followed', { fault: splitViews, repeats, fleet: ownLinks }, async (chaos) => {
  const { fleet: parts, random, delivers } = chaos
  const old = await leader(parts)
  parts.balanceTo(old)
  parts.redisLinkOf(old).state = random.pick(['STALL', 'STALL_ANSWERS', 'REFUSE'] as const)
  const moved = move(chaos, 'LEAVE')
  await anotherLeads(parts, old)
  await sleep(random.int(leaseMs, 2 * leaseMs))
  parts.redisLinkOf(old).cut()
  parts.redisLinkOf(old).state = 'PASS'
  parts.balanceTo(undefined)
  await moved()
  await delivers(300)
})

scenario('a replica is without Redis while lanes move', { fault: splitViews, repeats, fleet: ownLinks }, async (chaos) => {
  const leads = await leader(chaos.fleet)
  const lost = chaos.random.pick(chaos.fleet.controlPlanes.filter((each) => each.ports.grpc !== leads.ports.grpc))
  // Every worker is at the replica that knows nothing, and must find another.
  chaos.fleet.balanceTo(lost)
  await sleep(500)
  chaos.fleet.redisLinkOf(lost).state = 'REFUSE'
  await sleep(2 * leaseMs)
  chaos.fleet.balanceTo(undefined)
  for (const how of ['JOIN', 'LEAVE'] as const) {
    await move(chaos, how)()
    await chaos.delivers(200)
  }
  await everyWorkerIsHeard(chaos)
  chaos.fleet.redisLinkOf(lost).state = 'PASS'
})

/** By the leader, within the last second. */
const everyWorkerIsHeard = ({ fleet: parts }: Chaos): Promise<unknown> =>
  waitUntil('every worker is heard', 15_000, async () => {
    const { workers } = await parts.clientOf(await leader(parts)).fleet.listWorkers({})
    const heard = workers.filter(({ heartbeatTime }) => Date.now() - Number(heartbeatTime!.seconds) * 1000 < 2000)
    return heard.length === parts.workers.filter((each) => each.exit === undefined).length
  })

scenario(
  'all control planes are away for a minute',
  { fault: allAway, repeats, fleet, timeoutMs: 300_000 },
  async ({ fleet: parts, delivers }) => {
    const dead = [...parts.controlPlanes]
    for (const each of dead) each.kill('SIGKILL')
    for (let second = 0; second < 60; second += 10) {
      await delivers(500)
      await sleep(8000)
    }
    await Promise.all(dead.map((each) => parts.startControlPlane(each.ports)))
    await delivers(300)
  },
)

scenario(
  'everything is restarted, one after the other',
  { fault: rolling, repeats, fleet, timeoutMs: 300_000 },
  async (chaos) => {
    const { fleet: parts, delivers } = chaos
    for (const each of [...parts.controlPlanes]) {
      each.kill('SIGTERM')
      await endsInOrder(each, exitMsMax)
      await parts.startControlPlane(each.ports)
      await delivers(50)
    }
    for (const worker of [...parts.workers]) {
      await parts.startWorker()
      worker.kill('SIGTERM')
      await endsInOrder(worker, exitMsMax)
      await delivers(50)
    }
  },
)

scenario(
  'workers scale from one to six and back, and the leader is killed on the way',
  { fault: leaderKilled, repeats, fleet: { ...fleet, workers: 1 }, timeoutMs: 300_000 },
  async (chaos) => {
    const up = Array.from({ length: 5 }, () => move(chaos, 'JOIN'))
    await sleep(chaos.random.int(200, 1500))
    await replaceLeader(chaos.fleet, await leader(chaos.fleet))
    for (const joined of up) await joined()
    await chaos.delivers(200)
    const leaving = chaos.fleet.workers.slice(1)
    for (const worker of leaving) worker.kill('SIGTERM')
    await replaceLeader(chaos.fleet, await leader(chaos.fleet))
    for (const worker of leaving) await endsInOrder(worker, 2 * exitMsMax)
    await chaos.delivers(200)
  },
)

scenario('heartbeats get no answer while lanes move', { fault: splitViews, repeats, fleet }, async (chaos) => {
  const link = chaos.fleet.link('worker-control-plane')
  for (const how of ['LEAVE', 'JOIN'] as const) {
    const moved = move(chaos, how)
    await sleep(chaos.random.int(0, 400))
    link.state = 'STALL_ANSWERS'
    await sleep(chaos.random.int(500, 4000))
    link.cut()
    link.state = 'PASS'
    await moved()
    await chaos.delivers(100)
  }
})

scenario(
  'a use case is created, and all control planes are killed at once',
  { fault: allAway, repeats, fleet },
  async (chaos) => {
    const { fleet: parts, random, startFlow } = chaos
    for (let round = 0; round < 3; round++) {
      const killed = async (): Promise<void> => {
        await sleep(random.int(0, 100))
        const dead = [...parts.controlPlanes]
        for (const each of dead) each.kill('SIGKILL')
        await Promise.all(dead.map((each) => each.waitExit(exitMsMax)))
        await Promise.all(dead.map((each) => parts.startControlPlane(each.ports)))
      }
      const flow = await startFlow({ publishedBefore: 200, perSecond: 50, whenRegistered: killed })
      await flow.delivers(300)
    }
  },
)

scenario(
  'a use case is paused and resumed while the leader is killed',
  { fault: leaderKilled, repeats, fleet },
  async (chaos) => {
    const { fleet: parts, random, flows } = chaos
    for (const { useCase, topic } of flows) {
      const { name } = useCase
      const pausing = await leader(parts)
      await call(parts, 'pause', (client) => client.useCases.pauseUseCase({ name, reason: 'chaos' }))
      await sleep(random.int(0, 300))
      await replaceLeader(parts, pausing)
      const resuming = await leader(parts)
      await call(parts, 'resume', (client) => client.useCases.resumeUseCase({ name }))
      await sleep(random.int(0, 300))
      await replaceLeader(parts, resuming)
      await waitForLanes(parts, useCase, topic.partitions)
      await chaos.delivers(100)
    }
  },
)

scenario(
  'one worker is without Redis, and others get its lanes',
  { fault: splitViews, repeats: 'UNLOGGED', fleet: { controlPlanes: 3, workers: 2 } },
  async ({ fleet: parts, flows, random, delivers }) => {
    await using link = await Link.open(() => parts.own.redis.port)
    const lost = await parts.startWorker({ FERRY_REDIS_URL: `redis://127.0.0.1:${link.port}` })
    const instance = await waitUntil('it has lanes', 20_000, () => instanceWithLanes(parts, flows, lost))
    link.state = random.pick(['STALL', 'STALL_ANSWERS', 'REFUSE'] as const)
    await waitUntil('it has none', 30_000, async () => {
      const { lanes } = await parts.client.fleet.listLanes({})
      return lanes.every((lane) => lane.worker !== instance && lane.state === LaneState.RUNNING)
    })
    await delivers(300)
    link.cut()
    link.state = 'PASS'
    await delivers(300)
  },
)

/** By the worker's description, which ends with its process id. */
async function instanceWithLanes(parts: Fleet, flows: readonly Flow[], { pid }: Worker): Promise<string | undefined> {
  const { workers } = await parts.client.fleet.listWorkers({})
  const worker = workers.find(({ description }) => description.endsWith(` ${pid}`))
  return worker !== undefined && worker.lanes >= flows.length ? worker.instance : undefined
}
