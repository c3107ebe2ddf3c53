import { setTimeout as sleep } from 'node:timers/promises'
import { LaneCondition } from '../../../proto/gen/ferry/v1/lane_pb.ts'
import { Ordering } from '../../../proto/gen/ferry/v1/use_case_pb.ts'
import type { FleetOptions } from '../../harness/fleet.ts'
import { metricOf } from '../../harness/metric.ts'
import type { Behaviour } from '../../harness/received.ts'
import { createBatch, waitForBatch } from '../../harness/retry-batch.ts'
import { waitUntil } from '../../harness/wait-until.ts'
import { endsInOrder } from '../ends-in-order.ts'
import { type Chaos, scenario } from '../scenario.ts'

const away = "ClickHouse away longer than the buffer and than a worker's life; refuses one row; loses its unsynced tail"
/** Spools soon, and looks often whether it can drain. */
const hasty = { FERRY_SPOOL_AFTER: '1s', FERRY_SPOOL_LOOK: '300ms' }
const own: FleetOptions = { ownClickhouse: true, workerEnv: hasty }
const linked: FleetOptions = { ...own, links: ['worker-clickhouse'] }
const exitMsMax = 20_000

/** Until every worker that lives has written so many inserts into the spool. */
async function spools({ fleet }: Chaos, inserts: number): Promise<void> {
  await waitUntil('rows go into the spool', 30_000, async () => {
    const alive = fleet.workers.filter((each) => each.exit === undefined)
    const counts = await Promise.all(alive.map((worker) => metricOf(worker, 'ferry_spooled_inserts_total')))
    return counts.every((count) => count >= inserts)
  })
}

scenario(
  'ClickHouse is away for less than the buffer holds',
  { fault: away, repeats: 'NONE', fleet: { ownClickhouse: true } },
  async ({ fleet, random, delivers, flows }) => {
    for (let round = 0; round < 3; round++) {
      await fleet.own.clickhouse.kill()
      const before = flows[0]!.endpoint.successes
      await sleep(random.int(500, 3500))
      if (flows[0]!.endpoint.successes === before) throw new Error('delivery stands while ClickHouse is away')
      await fleet.own.clickhouse.start()
      await delivers(100)
    }
  },
)

scenario(
  'ClickHouse is away for longer than the buffer holds',
  { fault: away, repeats: 'NONE', fleet: own, fast: true },
  async (chaos) => {
    const { fleet, delivers, flows } = chaos
    await fleet.own.clickhouse.kill()
    await spools(chaos, 2)
    for (const { useCase } of flows) {
      await waitUntil(`the lanes of ${useCase.name} say that their rows are in the spool`, 10_000, async () => {
        const { lanes } = await fleet.client.fleet.listLanes({ useCase: useCase.name })
        return lanes.every((lane) => lane.condition === LaneCondition.LOG_SPOOLING)
      })
    }
    await delivers(300)
    await fleet.own.clickhouse.start()
    await delivers(100)
  },
)

scenario(
  'a worker with a small buffer spools long before its time',
  {
    fault: away,
    repeats: 'NONE',
    fleet: { ...own, workerEnv: { FERRY_SPOOL_AFTER: '1h', FERRY_LOG_BATCHES_MAX: '2', FERRY_LOG_BATCH_BYTES: '64KiB' } },
  },
  async (chaos) => {
    await chaos.fleet.own.clickhouse.kill()
    await spools(chaos, 6)
    await chaos.delivers(1000)
    await chaos.fleet.own.clickhouse.start()
    await chaos.delivers(300)
  },
)

scenario(
  'workers are stopped and replaced while ClickHouse is away',
  { fault: away, repeats: 'NONE', fleet: own },
  async (chaos) => {
    const { fleet, delivers } = chaos
    await fleet.own.clickhouse.kill()
    await spools(chaos, 2)
    for (const worker of [...fleet.workers]) {
      await fleet.startWorker()
      worker.kill('SIGTERM')
      await endsInOrder(worker, exitMsMax)
      await delivers(50)
    }
    await fleet.own.clickhouse.start()
    await delivers(300)
  },
)

scenario(
  'a worker is killed while ClickHouse is away, which is back before the takeover loses patience',
  { fault: away, repeats: 'UNLOGGED', fleet: { ...own, workerEnv: { ...hasty, FERRY_LOOK_UP_PATIENCE: '60s' } } },
  async (chaos) => {
    const { fleet, random, delivers } = chaos
    await fleet.own.clickhouse.kill()
    await spools(chaos, 2)
    random.pick(fleet.workers).kill('SIGKILL')
    await sleep(random.int(0, 8000))
    await fleet.own.clickhouse.start()
    await delivers(500)
  },
)

scenario(
  'all workers are killed while ClickHouse is away, and others drain what they spooled',
  { fault: away, repeats: 'UNLOGGED', fleet: { ...own, workerEnv: { ...hasty, FERRY_LOOK_UP_PATIENCE: '60s' } } },
  async (chaos) => {
    const { fleet, random, delivers } = chaos
    await fleet.own.clickhouse.kill()
    await spools(chaos, 2)
    for (const worker of fleet.workers) worker.kill('SIGKILL')
    await Promise.all([fleet.startWorker(), fleet.startWorker()])
    await sleep(random.int(0, 4000))
    await fleet.own.clickhouse.start()
    await delivers(500)
  },
)

scenario(
  'a worker is killed while ClickHouse is away for longer than takeovers wait',
  { fault: away, repeats: 'COUNTED', fleet: { ...own, workerEnv: { ...hasty, FERRY_LOOK_UP_PATIENCE: '500ms' } } },
  async (chaos) => {
    const { fleet, random, delivers } = chaos
    await fleet.own.clickhouse.kill()
    await spools(chaos, 2)
    random.pick(fleet.workers).kill('SIGKILL')
    await waitUntil('a takeover goes on without the log, and is counted', 30_000, async () => {
      const alive = fleet.workers.filter((each) => each.exit === undefined)
      const counts = await Promise.all(alive.map((worker) => metricOf(worker, 'ferry_takeovers_without_log_total')))
      return counts.some((count) => count > 0)
    })
    await delivers(300)
    await fleet.own.clickhouse.start()
    await delivers(300)
  },
)

scenario('packets to ClickHouse get lost', { fault: away, repeats: 'NONE', fleet: linked }, async (chaos) => {
  const { fleet, delivers } = chaos
  fleet.link('worker-clickhouse').state = 'STALL'
  await spools(chaos, 4)
  await delivers(1000)
  fleet.link('worker-clickhouse').state = 'PASS'
  await delivers(300)
})

scenario(
  'ClickHouse carries inserts out and its answers are lost',
  { fault: away, repeats: 'NONE', fleet: linked },
  async (chaos) => {
    const { fleet, random, delivers } = chaos
    const link = fleet.link('worker-clickhouse')
    for (let round = 0; round < 6; round++) {
      link.state = 'STALL_ANSWERS'
      // Short ones are tried again, long ones go into the spool although ClickHouse has them.
      await sleep(round % 2 === 0 ? random.int(50, 800) : random.int(2500, 4000))
      link.cut()
      link.state = 'PASS'
      await delivers(100)
    }
  },
)

scenario(
  'ClickHouse refuses a row now and then, also of what waited in the spool',
  { fault: away, repeats: 'NONE', fleet: own },
  async (chaos) => {
    const { fleet, delivers } = chaos
    await fleet.sql.run(`ALTER TABLE attempts ADD CONSTRAINT no_seven CHECK request_body NOT LIKE '%77"}'`)
    await delivers(500)
    await fleet.own.clickhouse.kill()
    await spools(chaos, 4)
    await delivers(500)
    await fleet.own.clickhouse.start()
    await delivers(300)
  },
)

scenario(
  'ClickHouse and Kafka are away together',
  { fault: away, repeats: 'NONE', fleet: { ...own, ownKafka: true }, settleMsMax: 120_000 },
  async (chaos) => {
    const { fleet, random, delivers } = chaos
    await fleet.own.clickhouse.kill()
    if (random.int(0, 1) === 0) await spools(chaos, 2)
    await fleet.own.kafka.kill()
    await sleep(random.int(3000, 8000))
    const [first, second] = random.int(0, 1) === 0 ? (['kafka', 'clickhouse'] as const) : (['clickhouse', 'kafka'] as const)
    await fleet.own[first].start()
    await sleep(random.int(0, 4000))
    await fleet.own[second].start()
    await delivers(300)
  },
)

const isPoison = ({ offset }: { readonly offset: number }): boolean => offset % 4 === 0
const refusing: Behaviour = (request) => (isPoison(request) ? { status: 422 } : { delayMs: 5 })

scenario(
  'retry batches are made while what failed waits in the spool',
  {
    fault: away,
    repeats: 'NONE',
    fleet: linked,
    flows: [{ behaviour: refusing }, { behaviour: refusing, ordering: Ordering.KEY }],
  },
  async (chaos) => {
    const { fleet, flows, delivers, random } = chaos
    fleet.link('worker-clickhouse').state = 'REFUSE'
    await spools(chaos, 4)
    await delivers(300)
    const refused = flows.map(({ endpoint }) => endpoint.requests.filter(({ status }) => status === 422).length)
    for (const { endpoint } of flows) endpoint.behaviour = () => ({ delayMs: 5 })
    const batches = await Promise.all(flows.map(({ useCase }) => createBatch(fleet, useCase)))
    await sleep(random.int(2500, 6000))
    fleet.link('worker-clickhouse').state = 'PASS'
    for (const [at, { name }] of batches.entries()) {
      const { selected, delivered, superseded, failedAgain } = await waitForBatch(fleet, name, 60_000)
      if (selected < refused[at]! || delivered + superseded !== selected || failedAgain > 0n)
        throw new Error(
          `${name}: ${refused[at]} had failed, ${selected} selected, ${delivered} delivered, ${superseded} superseded`,
        )
    }
  },
)

scenario(
  'ClickHouse and a worker are killed in the middle of inserts',
  { fault: away, repeats: 'UNLOGGED', fleet: { ...own, workerEnv: { ...hasty, FERRY_LOOK_UP_PATIENCE: '60s' } } },
  async (chaos) => {
    const { fleet, random, delivers } = chaos
    for (let round = 0; round < 3; round++) {
      await fleet.own.clickhouse.kill()
      random.pick(fleet.workers.filter((each) => each.exit === undefined)).kill('SIGKILL')
      await sleep(random.int(0, 2000))
      await Promise.all([fleet.own.clickhouse.start(), fleet.startWorker()])
      await delivers(random.int(50, 200))
    }
  },
)
