import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { BatchItem, BatchingSchema } from '../../../proto/gen/ferry/v1/batching_pb.ts'
import { Jitter, Ordering } from '../../../proto/gen/ferry/v1/use_case_pb.ts'
import { memoryMb, peakMemoryMb } from '../../harness/process-memory.ts'
import type { Answer, Behaviour, Received } from '../../harness/received.ts'
import type { Flow, FlowOptions } from '../flow.ts'
import type { Random } from '../random.ts'
import { readRequest } from '../request.ts'
import { type Chaos, scenario } from '../scenario.ts'

const { kind, minutes = 0, seed = 0 } = readRequest() ?? {}
const memoryMbMax = 500
const sampleMs = 5000
/** The second half of the run against the first. */
const growthMax = 1.15

const spec: FlowOptions['spec'] = {
  destination: { requestTimeout: durationFromMs(1000) },
  retry: { initialInterval: durationFromMs(100), maximumInterval: durationFromMs(2000), jitter: Jitter.FULL },
}
const batch = create(BatchingSchema, { maxRecords: 50, maxWait: durationFromMs(20), item: BatchItem.ENVELOPE })

/** Every way from a topic to an endpoint that there is, side by side. */
const flows: readonly FlowOptions[] = [
  { perSecond: 100, spec },
  { perSecond: 100, ordering: Ordering.KEY, keys: 40, spec },
  { perSecond: 30, ordering: Ordering.PARTITION, partitions: 3, spec },
  { perSecond: 100, ordering: Ordering.KEY, keys: 10, spec: { ...spec, delivery: { latestVersionWins: true } } },
  { perSecond: 100, spec: { ...spec, destination: { ...spec.destination, batch } } },
  { perSecond: 100, ordering: Ordering.KEY, keys: 40, spec: { ...spec, destination: { ...spec.destination, batch } } },
  { perSecond: 60, spec: { ...spec, delivery: { rateLimit: { recordsPerSecond: 90 } } } },
  { perSecond: 100, spec: { ...spec, filter: 'int(value.id) % 3 != 0' } },
]

if (kind === 'soak')
  scenario(
    `soak, seed ${seed}`,
    {
      ...{ fault: 'none but endpoints that change', repeats: 'LOST_ANSWERS', seed, flows },
      ...{ settleMsMax: 180_000, timeoutMs: minutes * 60_000 + 600_000 },
    },
    soak,
  )

async function soak(chaos: Chaos): Promise<void> {
  const until = performance.now() + minutes * 60_000
  const samples: number[][] = []
  const watching = setInterval(() => samples.push(chaos.fleet.workers.map(({ pid }) => memoryMb(pid))), sampleMs)
  try {
    await Promise.all(chaos.flows.map((flow) => change(flow, chaos.random, until)))
  } finally {
    clearInterval(watching)
  }
  for (const [at, worker] of chaos.fleet.workers.entries()) {
    const mb = samples.map((each) => each[at]!)
    const half = Math.ceil(mb.length / 2)
    const [first, second] = [Math.max(...mb.slice(0, half)), Math.max(...mb.slice(half))]
    if (second > first * growthMax) throw new Error(`${worker.name} grows: ${mb.join(', ')} MB`)
    if (peakMemoryMb(worker.pid) > memoryMbMax) throw new Error(`${worker.name} has had ${peakMemoryMb(worker.pid)} MB`)
  }
}

/** An endpoint does one thing for some seconds, then another. In the end it is good. */
async function change({ endpoint }: Flow, random: Random, until: number): Promise<void> {
  const good = endpoint.behaviour
  while (performance.now() < until) {
    if (random.int(0, 9) === 0) {
      await endpoint.goDown()
      await sleep(random.int(100, 5000))
      await endpoint.goUp()
    } else endpoint.behaviour = random.pick(moods)(good)
    await sleep(random.int(1000, 10_000))
  }
  endpoint.behaviour = good
}

type Mood = (good: Behaviour) => Behaviour

/** To the first attempts of every so many records; the others have it good. */
const toSome =
  (every: number, answer: Answer | 'HANG' | 'RESET'): Mood =>
  (good) =>
  (request: Received) =>
    request.offset % every === 0 && request.attempt <= 2 ? answer : good(request)

const moods: readonly Mood[] = [
  (good) => good,
  () => () => ({ delayMs: 0 }),
  () =>
    ({ offset }) => ({ delayMs: (offset * 37) % 200 }),
  toSome(3, { status: 503 }),
  toSome(5, { status: 429, headers: { 'retry-after': '1' } }),
  toSome(20, { status: 422 }),
  toSome(7, 'RESET'),
  toSome(50, 'HANG'),
  () => () => ({ status: 500 }),
]
