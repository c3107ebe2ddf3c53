import { setTimeout as sleep } from 'node:timers/promises'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { Ordering } from '../../../proto/gen/ferry/v1/use_case_pb.ts'
import { memoryMb, peakMemoryMb } from '../../harness/process-memory.ts'
import type { Behaviour } from '../../harness/received.ts'
import type { Flow, FlowOptions } from '../flow.ts'
import { type Chaos, scenario } from '../scenario.ts'

const misbehaving = 'endpoint slow, refusing, resetting, 429 with Retry-After, 500 for an hour, huge or endless body, redirects'
const repeats = 'NONE'

const firstAttempts =
  (first: Behaviour): Behaviour =>
  (request) =>
    request.attempt <= 2 && request.offset % 3 === 0 ? first(request) : { delayMs: 2 }

const spec: FlowOptions['spec'] = { destination: { requestTimeout: durationFromMs(1000) } }

const answers: readonly (readonly [what: string, behaviour: Behaviour])[] = [
  ['does not answer', () => 'HANG'],
  ['answers after the timeout', () => ({ delayMs: 1500 })],
  ['resets the connection', () => 'RESET'],
  ['answers 429 with Retry-After', () => ({ status: 429, headers: { 'retry-after': '1' } })],
  ['redirects', () => ({ status: 302, headers: { location: '/elsewhere' } })],
  ['answers 503 with a body of 8 MB', () => ({ status: 503, body: 'x'.repeat(8_000_000) })],
]

for (const [what, behaviour] of answers) {
  scenario(
    `an endpoint ${what} to the first attempts of every third record`,
    { fault: misbehaving, repeats, flows: [{ behaviour: firstAttempts(behaviour), spec, perSecond: 60 }] },
    ({ delivers }) => delivers(400),
  )
}

scenario('an endpoint is down, comes back, and goes again', { fault: misbehaving, repeats }, async (chaos) => {
  for (let round = 0; round < 3; round++) {
    for (const { endpoint } of chaos.flows) await endpoint.goDown()
    await sleep(chaos.random.int(500, 6000))
    for (const { endpoint } of chaos.flows) await endpoint.goUp()
    await chaos.delivers(chaos.random.int(1, 300))
  }
})

const refusesHalf: Behaviour = ({ offset }) => ({ status: offset % 2 === 0 ? 422 : 200 })

scenario(
  'every second record is poison',
  {
    fault: '10,000 poison records; a hot key that fails',
    ...{
      repeats,
      flows: [
        { behaviour: refusesHalf, perSecond: 1000 },
        { behaviour: refusesHalf, ordering: Ordering.KEY, perSecond: 1000 },
      ],
    },
  },
  ({ delivers }) => delivers(5000),
)

/** Few keys and few refusals: two records of a key are there at the same moment, and none falls behind its load. */
const fewKeys: FlowOptions = {
  ...{ ordering: Ordering.KEY, perSecond: 400, keys: 10 },
  behaviour: ({ offset, attempt }) => ({ delayMs: 5, status: offset % 25 === 0 && attempt === 1 ? 503 : 200 }),
}

scenario(
  'a hot key fails for a while',
  { fault: '10,000 poison records; a hot key that fails', repeats, flows: [fewKeys] },
  async ({ flows, delivers }) => {
    const [flow] = flows
    const good = flow!.endpoint.behaviour
    flow!.endpoint.behaviour = (request) => (/"id":\d*00,/.test(request.body) ? { status: 503 } : good(request))
    await delivers(2000)
    flow!.endpoint.behaviour = good
  },
)

scenario(
  'one poison record alone in PARTITION order',
  {
    fault: '10,000 poison records; a hot key that fails',
    repeats,
    flows: [
      {
        ...{ ordering: Ordering.PARTITION, partitions: 2, perSecond: 60 },
        behaviour: ({ partition, offset }) => ({ status: partition === 0 && offset === 20 ? 503 : 200 }),
        spec: { retry: { initialInterval: durationFromMs(100), maxRetries: 3 } },
      },
    ],
  },
  ({ delivers }) => delivers(300),
)

/** What a use case has saved when nothing succeeds any more: README.md, "An outage fails nothing". */
const givenUpMax = 10

scenario(
  'an outage and a pause outlast the retry policy',
  {
    fault: 'pause or outage longer than max_elapsed_time',
    repeats,
    flows: [
      {
        spec: {
          retry: {
            initialInterval: durationFromMs(100),
            maximumInterval: durationFromMs(1000),
            maxElapsedTime: durationFromMs(3000),
          },
        },
      },
    ],
  },
  async ({ fleet, flows, delivers }) => {
    const [flow] = flows
    const { name, uid } = flow!.useCase
    await flow!.endpoint.goDown()
    await sleep(12_000)
    await fleet.client.useCases.pauseUseCase({ name, reason: 'the endpoint is down' })
    await sleep(6000)
    await flow!.endpoint.goUp()
    await fleet.client.useCases.resumeUseCase({ name })
    await delivers(500)
    const failed = await fleet.sql.number(`SELECT count() FROM outcomes WHERE uid = '${uid}' AND outcome = 'FAILED'`)
    if (failed > givenUpMax)
      throw new Error(`${failed} deliveries were given up, more than the ${givenUpMax} that an outage may cost`)
  },
)

const hanging = 5
const others = 45
const memoryMbMax = 400

scenario(
  'five of fifty use cases hang for ten minutes',
  {
    fault: misbehaving,
    ...{ repeats, settleMsMax: 120_000, timeoutMs: 1_200_000, fleet: { workers: 2 } },
    flows: Array.from({ length: hanging + others }, () => ({ partitions: 1, perSecond: 10 })),
  },
  isolates,
)

const hangMs = 600_000
const sampleMs = 10_000
/** Of the second half of the time against the first: what garbage collection leaves. */
const growthMax = 1.1

/** Those that work are delivered as fast as they are published while the others hang, but for 5 %, and memory stays flat. */
async function isolates({ flows, fleet, notes }: Chaos): Promise<void> {
  const working = flows.slice(hanging)
  const sum = (of: (flow: Flow) => number): number => working.reduce((total, flow) => total + of(flow), 0)
  const published = (): number => sum((flow) => flow.published)
  const successes = (): number => sum((flow) => flow.endpoint.successes)
  const good = flows[0]!.endpoint.behaviour
  for (const flow of flows.slice(0, hanging)) flow.endpoint.behaviour = () => 'HANG'
  const from = { published: published(), successes: successes() }
  const samples: number[][] = []
  for (let ms = 0; ms < hangMs; ms += sampleMs) {
    await sleep(sampleMs)
    samples.push(fleet.workers.map(({ pid }) => memoryMb(pid)))
  }
  const came = published() - from.published
  const went = successes() - from.successes
  for (const flow of flows.slice(0, hanging)) flow.endpoint.behaviour = good
  notes.push(`while five hung, the others delivered ${went} records of ${came}`)
  if (went < 0.95 * came)
    throw new Error(`${went} records were delivered while five use cases hung, of ${came} that were published`)
  for (const [at, worker] of fleet.workers.entries()) {
    const mb = samples.map((each) => each[at]!)
    const first = Math.max(...mb.slice(0, mb.length / 2))
    const second = Math.max(...mb.slice(mb.length / 2))
    notes.push(`${worker.name}: ${first} MB at most in the first half, ${second} MB in the second`)
    if (second > first * growthMax) throw new Error(`${worker.name} grows: ${mb.join(', ')} MB`)
    const peak = peakMemoryMb(worker.pid)
    if (peak > memoryMbMax) throw new Error(`${worker.name} has had ${Math.round(peak)} MB`)
  }
}
