import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ControlPlane } from '../../../deploy/local/fleet.ts'
import { Endpoint } from '../../harness/endpoint.ts'
import { Topic } from '../../harness/topic.ts'
import { specOf } from '../../harness/use-case.ts'
import { leader } from '../leaders.ts'
import { sendMalformed } from '../malformed-calls.ts'
import { type Chaos, scenario } from '../scenario.ts'

const repeats = 'NONE'
/** Of what is published while a fault lasts; what is on its way at the end makes a little. */
const shareMin = 0.95
const calmMs = 10_000

const successes = ({ flows }: Chaos): number => flows.reduce((sum, flow) => sum + flow.endpoint.successes, 0)

const published = async ({ flows }: Chaos): Promise<number> => {
  let sum = 0
  for (const { topic } of flows) for (const end of (await topic.endOffsets()).values()) sum += end
  return sum
}

interface Pace {
  /** Records delivered a second. */
  readonly rate: number
  /** Of the records that were published meanwhile: how fast a busy machine publishes is not what is asked. */
  readonly share: number
}

async function paceDuring(chaos: Chaos, work: () => Promise<unknown>): Promise<Pace> {
  const [delivered, before, startedMs] = [successes(chaos), await published(chaos), performance.now()]
  await work()
  const more = successes(chaos) - delivered
  return { rate: (more * 1000) / (performance.now() - startedMs), share: more / ((await published(chaos)) - before) }
}

const paceText = ({ rate, share }: Pace): string => `${rate.toFixed(0)} records/s (${percent(share)} of what was published)`

/** Resident now, in MB, as the kernel has it (VmRSS). */
function memoryMb(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kib) / 1024)
}

function refuse(problems: readonly (string | false)[]): void {
  const those = problems.filter((each) => each !== false)
  if (those.length > 0) throw new Error(those.join('\n'))
}

const callsAtOnce = 4
const calls = 10_000
/** Requests of 16 MiB are among them. */
const grownMbMax = 60
const controlPlaneMbMax = 450

scenario(
  'ten thousand malformed calls',
  { fault: 'malformed, oversized and random calls to both ports', repeats, timeoutMs: 420_000, flows: [{ perSecond: 100 }] },
  async (chaos) => {
    const { fleet, random, notes } = chaos
    const calm = await paceDuring(chaos, () => sleep(calmMs))
    const memory: number[][] = []
    const codes: Record<string, number> = {}
    const rate = await paceDuring(chaos, async () => {
      for (let half = 0; half < 2; half++) {
        const some = await sendMalformed(fleet.controlPlanes, random, calls / 2, callsAtOnce)
        for (const [code, count] of Object.entries(some)) codes[code] = (codes[code] ?? 0) + count
        memory.push(fleet.controlPlanes.map(({ pid }) => memoryMb(pid)))
      }
    })
    // The first calls fetch what a process needs to serve such calls at all; what leaks goes on growing with the second half.
    const grown = memory[1]!.map((mb, at) => mb - memory[0]![at]!)
    const counts = Object.entries(codes)
      .map(([code, count]) => `${count} ${code}`)
      .join(', ')
    console.log(
      `malformed calls: ${counts}; before ${paceText(calm)}, then ${paceText(rate)}; control planes have ${memory.join(', then ')} MB`,
    )
    notes.push(counts)
    const { useCases } = await fleet.client.useCases.listUseCases({})
    const { workers } = await fleet.client.fleet.listWorkers({})
    refuse([
      rate.share < shareMin && `during the calls ${paceText(rate)}`,
      ...Object.entries(codes).map(([code, count]) => /internal|unknown|not answered/.test(code) && `${count} x ${code}`),
      useCases.length !== 1 && `there are ${useCases.length} use cases`,
      workers.length !== fleet.workers.length && `there are ${workers.length} workers`,
      ...grown.map((mb) => mb > grownMbMax && `a control plane has grown by ${mb} MB in the second half`),
      ...memory[1]!.map((mb) => mb > controlPlaneMbMax && `a control plane has ${mb} MB`),
      ...[...fleet.controlPlanes, ...fleet.workers].map((each) => each.exit !== undefined && each.describeEnd()),
    ])
  },
)

const useCaseCount = 10_000
const namespaces = 20
const createsAtOnce = 16
const lanesPerWorkerMax = 300
/** Of the leader, while it sets up the lanes of 10,000 use cases. */
const cpuShareMax = 0.8
const leaderMbMax = 700

scenario(
  'ten thousand use cases',
  {
    ...{ fault: 'as many use cases as may be', repeats, timeoutMs: 590_000, flows: [{ perSecond: 100 }] },
    fleet: {
      workers: 2,
      controlPlaneEnv: {
        ...{ FERRY_CREATE_TIMEOUT: '0s', FERRY_USE_CASES_MAX: String(useCaseCount + 1) },
        ...{
          FERRY_LANES_PER_WORKER_MAX: String(lanesPerWorkerMax),
          FERRY_USE_CASES_INTERVAL: '1s',
          FERRY_PARTITIONS_INTERVAL: '5s',
        },
      },
    },
  },
  manyUseCases,
)

async function manyUseCases(chaos: Chaos): Promise<void> {
  const { fleet } = chaos
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const leads = await leader(fleet)
  const calm = await paceDuring(chaos, () => sleep(calmMs))
  const emptyMb = memoryMb(leads.pid)
  const emptyCpu = await cpuShare(leads)
  const startedMs = performance.now()
  const busy = await paceDuring(chaos, () => registerAll(chaos, topic, endpoint))
  const registeredSeconds = (performance.now() - startedMs) / 1000
  const refused = await fleet.client.useCases
    .createUseCase(useCaseOf(useCaseCount, topic, endpoint))
    .catch((error: Error) => error)
  const useCases = await countPages(
    (pageToken) => fleet.client.useCases.listUseCases({ pageSize: 1000, pageToken }),
    ({ useCases }) => useCases,
  )
  const cpu = await cpuShare(leads)
  const rate = await paceDuring(chaos, () => sleep(calmMs))
  const listMs = performance.now()
  await fleet.client.fleet.listWorkers({})
  const answerMs = performance.now() - listMs
  const mb = memoryMb(leads.pid)
  // Each is written to Kafka, Redis and the log before it is given to a worker: that goes on behind.
  const lanes = await countLanes(chaos)
  console.log(
    [
      `${useCaseCount} use cases registered in ${registeredSeconds.toFixed(0)} s; ${lanes} lanes are set up ${seconds(startedMs)} s after the first`,
      `leader ${emptyMb} -> ${mb} MB, CPU ${percent(emptyCpu)} -> ${percent(cpu)}, answers in ${answerMs.toFixed(0)} ms`,
      `workers with ${lanesPerWorkerMax} lanes: ${fleet.workers.map(({ pid }) => memoryMb(pid)).join(' and ')} MB`,
      `before ${paceText(calm)}, while registering ${paceText(busy)}, with all of them ${paceText(rate)}`,
    ].join('\n'),
  )
  refuse([
    useCases !== useCaseCount + 1 && `pages hold ${useCases} use cases`,
    !(refused instanceof Error && refused.message.includes('as many as may be')) && `one more was not refused`,
    busy.share < shareMin && `while they were registered ${paceText(busy)}`,
    rate.share < shareMin && `with all of them ${paceText(rate)}`,
    cpu > cpuShareMax && `the leader takes ${percent(cpu)} of a core`,
    mb > leaderMbMax && `the leader has ${mb} MB`,
  ])
}

const seconds = (sinceMs: number): string => ((performance.now() - sinceMs) / 1000).toFixed(0)
const percent = (share: number): string => `${Math.round(share * 100)} %`

const useCaseOf = (at: number, topic: Topic, endpoint: Endpoint) => ({
  useCase: { name: `namespaces/n-${at % namespaces}/useCases/u-${at}`, spec: specOf(topic, endpoint) },
})

async function registerAll({ fleet }: Chaos, topic: Topic, endpoint: Endpoint): Promise<void> {
  let next = 0
  const some = async (): Promise<void> => {
    while (next < useCaseCount) {
      const at = next++
      const client = fleet.clientOf(fleet.controlPlanes[at % fleet.controlPlanes.length]!)
      await client.useCases.createUseCase(useCaseOf(at, topic, endpoint))
    }
  }
  await Promise.all(Array.from({ length: createsAtOnce }, some))
}

/** That the leader knows, page by page. */
const countLanes = ({ fleet }: Chaos): Promise<number> =>
  countPages(
    (pageToken) => fleet.client.fleet.listLanes({ pageSize: 1000, pageToken }),
    (page) => page.lanes,
  )

async function countPages<P extends { readonly nextPageToken: string }>(
  read: (token: string) => Promise<P>,
  items: (page: P) => readonly unknown[],
): Promise<number> {
  let count = 0
  for (let token = ''; ; ) {
    const page = await read(token)
    count += items(page).length
    token = page.nextPageToken
    if (token === '') return count
  }
}

/** Of one core, over some seconds. */
async function cpuShare({ pid }: ControlPlane): Promise<number> {
  const ticks = (): number => {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return Number(fields[11]) + Number(fields[12])
  }
  const before = ticks()
  await sleep(calmMs)
  return ((ticks() - before) * 10) / calmMs
}
