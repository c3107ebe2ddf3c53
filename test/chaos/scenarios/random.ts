import { setTimeout as sleep } from 'node:timers/promises'
import { Ordering } from '../../../proto/gen/ferry/v1/use_case_pb.ts'
import { act } from '../actions.ts'
import { readRequest } from '../request.ts'
import { type Chaos, scenario } from '../scenario.ts'

/** So long faults come; then everything heals and must end. One seed's run: what fails in it can be run again alone. */
const roundMs = 90_000

const { kind, minutes = 0, seed = 0 } = readRequest() ?? {}
const rounds = kind === 'random' ? Math.ceil((minutes * 60_000) / (roundMs + 30_000)) : 0

for (let round = 0; round < rounds; round++) {
  scenario(
    `random faults, seed ${seed + round}`,
    {
      fault: 'any, mixed with changes of use cases, partitions and workers',
      ...{ repeats: 'COUNTED', seed: seed + round, settleMsMax: 120_000, timeoutMs: 480_000 },
      fleet: {
        ownClickhouse: true,
        ownKafka: true,
        links: ['worker-redis', 'worker-clickhouse', 'kafka', 'worker-control-plane'],
      },
      flows: [{ perSecond: 150 }, { perSecond: 150, ordering: Ordering.KEY }],
    },
    mix,
  )
}

async function mix(chaos: Chaos): Promise<void> {
  const end = performance.now() + roundMs
  const trace: string[] = []
  try {
    while (performance.now() < end) {
      trace.push(`${Math.round((roundMs - (end - performance.now())) / 1000)} s ${await act(chaos)}`)
      await sleep(chaos.random.int(0, 3000))
    }
  } finally {
    chaos.notes.push(...trace)
  }
}
