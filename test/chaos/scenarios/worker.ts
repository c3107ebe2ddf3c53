import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import type { Worker } from '../../../deploy/local/fleet.ts'
import { BatchItem } from '../../../proto/gen/ferry/v1/batching_pb.ts'
import { Ordering, StartPosition } from '../../../proto/gen/ferry/v1/use_case_pb.ts'
import { Link } from '../../harness/link.ts'
import type { Behaviour } from '../../harness/received.ts'
import { storedLane } from '../../harness/redis.ts'
import { waitForLanes } from '../../harness/use-case.ts'
import { waitUntil } from '../../harness/wait-until.ts'
import { endsInOrder } from '../ends-in-order.ts'
import type { FlowOptions } from '../flow.ts'
import { type Chaos, scenario } from '../scenario.ts'

const sigkill = 'worker SIGKILL mid-flight'
const sigterm = 'worker SIGTERM'
const frozen = 'worker frozen past its lease, then continued'
/** Past the short lease and its margins: the lanes have moved. */
const movedMs = 6000
const exitMsMax = 20_000

scenario('a worker is killed', { fault: sigkill, repeats: 'UNLOGGED', fast: true }, async ({ fleet, random, delivers }) => {
  random.pick(fleet.workers).kill('SIGKILL')
  await delivers(500)
})

/** Of one batch in five the second half is refused once: something always waits for its next attempt. */
const halfRefused: Behaviour = ({ offset, attempt, batch }) => {
  const half = batch.length >> 1
  const failures = batch.slice(half).map((_, at) => ({ index: half + at, status: 503 }))
  return { delayMs: 5, ...(offset % 5 === 0 && attempt === 1 && { body: JSON.stringify({ failures }) }) }
}
const inBatches = (ordering: Ordering): FlowOptions => ({
  ...{ ordering, behaviour: halfRefused },
  spec: { destination: { batch: { maxRecords: 20, maxWait: durationFromMs(50), item: BatchItem.ENVELOPE } } },
})

scenario(
  'a worker is killed with batches on their way',
  { fault: sigkill, repeats: 'UNLOGGED', flows: [Ordering.UNORDERED, Ordering.KEY, Ordering.PARTITION].map(inBatches) },
  async ({ fleet, random, delivers }) => {
    random.pick(fleet.workers).kill('SIGKILL')
    await delivers(500)
  },
)

scenario('one worker after the other is killed', { fault: sigkill, repeats: 'UNLOGGED' }, async ({ fleet, random, delivers }) => {
  for (let round = 0; round < 4; round++) {
    const victim = fleet.workers.filter((each) => each.exit === undefined)[random.int(0, 1)]!
    victim.kill('SIGKILL')
    await sleep(random.int(0, movedMs))
    await fleet.startWorker()
    await delivers(random.int(1, 300))
  }
})

scenario('all workers are killed at once', { fault: sigkill, repeats: 'UNLOGGED' }, async ({ fleet, random, delivers }) => {
  for (const worker of fleet.workers) worker.kill('SIGKILL')
  await sleep(random.int(0, movedMs))
  await Promise.all([fleet.startWorker(), fleet.startWorker()])
  await delivers(500)
})

/** What they have done meanwhile is known to one of Redis and the log only. */
async function dieWithout(link: 'worker-redis' | 'worker-clickhouse', { fleet, delivers }: Chaos, ms: number): Promise<void> {
  fleet.link(link).state = link === 'worker-redis' ? 'STALL' : 'REFUSE'
  await sleep(ms)
  for (const worker of fleet.workers) worker.kill('SIGKILL')
  fleet.link(link).cut()
  fleet.link(link).state = 'PASS'
  await Promise.all([fleet.startWorker(), fleet.startWorker()])
  await delivers(500)
}

scenario(
  'all workers are killed when the log has taken nothing for two seconds',
  { fault: sigkill, repeats: 'UNLOGGED', fleet: { links: ['worker-clickhouse'] } },
  (chaos) => dieWithout('worker-clickhouse', chaos, 2000),
)

scenario(
  'all workers are killed when no checkpoint has come through for a second',
  { fault: sigkill, repeats: 'UNLOGGED', fleet: { links: ['worker-redis'] } },
  (chaos) => dieWithout('worker-redis', chaos, 1000),
)

scenario('a worker is killed while it drains', { fault: sigkill, repeats: 'UNLOGGED' }, async ({ fleet, random, delivers }) => {
  const victim = random.pick(fleet.workers)
  victim.kill('SIGTERM')
  await sleep(random.int(1, 150))
  victim.kill('SIGKILL')
  await delivers(500)
})

scenario('a worker is told to stop', { fault: sigterm, repeats: 'NONE', fast: true }, async ({ fleet, random, delivers }) => {
  await leaves(random.pick(fleet.workers))
  await delivers(300)
})

scenario('a deploy replaces every worker', { fault: sigterm, repeats: 'NONE' }, async ({ fleet, delivers }) => {
  for (const worker of [...fleet.workers]) {
    await fleet.startWorker()
    await leaves(worker)
    await delivers(100)
  }
})

scenario('workers scale from three to six and to one', { fault: sigterm, repeats: 'NONE' }, async ({ fleet, delivers }) => {
  await Promise.all([fleet.startWorker(), fleet.startWorker(), fleet.startWorker()])
  await delivers(300)
  await Promise.all(fleet.workers.slice(1).map(leaves))
  await delivers(300)
})

scenario(
  'a worker is frozen for less than its lease',
  { fault: frozen, repeats: 'NONE' },
  async ({ fleet, random, delivers }) => {
    const victim = random.pick(fleet.workers)
    victim.kill('SIGSTOP')
    await sleep(random.int(300, 1200))
    victim.kill('SIGCONT')
    await delivers(500)
  },
)

scenario('a worker is frozen past its lease', { fault: frozen, repeats: 'COUNTED', fast: true }, async (chaos) => {
  const victim = chaos.random.pick(chaos.fleet.workers)
  victim.kill('SIGSTOP')
  await sleep(movedMs + chaos.random.int(0, 1000))
  victim.kill('SIGCONT')
  await chaos.delivers(500)
})

scenario('the successor of a frozen worker freezes before its first checkpoint', { fault: frozen, repeats: 'COUNTED' }, twoFreeze)

/** The second owner is stopped as soon as its claim is in Redis; both wake when a third has the lanes. */
async function twoFreeze({ fleet, random, flows, delivers }: Chaos): Promise<void> {
  const [flow] = flows
  const lanes = await waitForLanes(fleet, flow!.useCase, flow!.topic.partitions)
  const lane = random.pick([...lanes.values()])
  const owner = await workerOf(fleet.workers, lane.worker)
  owner.kill('SIGSTOP')
  const claim = await waitUntil('a successor claims', 20_000, async () => {
    const stored = await storedLane(fleet, lane.id!)
    return stored['owner'] !== lane.worker && stored
  })
  const successor = await workerOf(fleet.workers, claim['owner']!)
  successor.kill('SIGSTOP')
  await sleep(movedMs)
  owner.kill('SIGCONT')
  await sleep(random.int(0, 1000))
  successor.kill('SIGCONT')
  await delivers(300)
}

scenario(
  'one worker does not reach the control plane',
  { fault: 'worker silent, its lease alive', repeats: 'NONE' },
  async ({ fleet, delivers }) => {
    await using link = await Link.open(() => fleet.controlPlanes[0]!.ports.grpc)
    const silent = await fleet.startWorker({ FERRY_CONTROL_PLANE: `127.0.0.1:${link.port}` })
    await delivers(500)
    link.state = 'STALL'
    await sleep(movedMs)
    link.state = 'PASS'
    await delivers(300)
    await leaves(silent)
  },
)

scenario(
  'one worker is cut off from Redis and the control plane for longer than its lease',
  { fault: 'worker alive, its lease over', repeats: 'UNLOGGED' },
  async ({ fleet, delivers }) => {
    await using toRedis = await Link.open(() => fleet.redisPort)
    await using toControlPlane = await Link.open(() => fleet.controlPlanes[0]!.ports.grpc)
    await fleet.startWorker({
      FERRY_REDIS_URL: `redis://127.0.0.1:${toRedis.port}`,
      FERRY_CONTROL_PLANE: `127.0.0.1:${toControlPlane.port}`,
    })
    await delivers(500)
    for (const link of [toRedis, toControlPlane]) link.state = 'STALL'
    // It still reaches Kafka and the endpoints: nothing but its lease keeps it from sending beside the next owner.
    await sleep(2 * movedMs)
    for (const link of [toRedis, toControlPlane]) link.state = 'PASS'
    await delivers(300)
  },
)

scenario(
  'the lanes of a use case that starts at the end lose their worker before their first checkpoint',
  { fault: 'a LATEST lane killed before its first checkpoint', repeats: 'UNLOGGED' },
  async ({ fleet, startFlow }) => {
    for (let round = 0; round < 3; round++) {
      const flow = await startFlow({
        publishedBefore: 100,
        spec: { source: { start: { case: 'position', value: StartPosition.LATEST } } },
        whenRegistered: async () => {
          for (const worker of fleet.workers) worker.kill('SIGKILL')
          await fleet.startWorker()
        },
      })
      await flow.delivers(200)
    }
  },
)

async function leaves(worker: Worker): Promise<void> {
  worker.kill('SIGTERM')
  await endsInOrder(worker, exitMsMax)
}

async function workerOf(workers: readonly Worker[], instance: string): Promise<Worker> {
  for (const worker of workers) if ((await readFile(worker.errFile, 'utf8')).includes(instance)) return worker
  throw new Error(`no worker of this fleet is instance ${instance}`)
}
