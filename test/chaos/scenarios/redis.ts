// Redis loses state: nothing may be lost with it, and what is repeated is counted.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { Ordering } from '../../../proto/gen/ferry/v1/use_case_pb.ts'
import { loseDefinitions, loseEverything } from '../../harness/redis.ts'
import { waitUntil } from '../../harness/wait-until.ts'
import type { FlowOptions } from '../flow.ts'
import { move } from '../leaders.ts'
import { keepState, loseLast } from '../redis/append-only.ts'
import { keepsItsLanes } from '../redis/keeps-its-lanes.ts'
import { Replica } from '../redis/replica.ts'
import { type Chaos, scenario } from '../scenario.ts'

const everything = 'Redis loses everything'
const lastSecond = 'Redis restarted without its last second'
const older = 'Redis goes back under living owners'
const failover = 'failover to a lagging replica'
const repeats = 'COUNTED'

const auditMsMax = 20_000

/** Until ClickHouse has every change of a use case: what it does not have cannot be restored. */
const audited = ({ fleet, flows }: Chaos): Promise<unknown> =>
  waitUntil('the audit has all use cases', auditMsMax, async () => {
    const known = await fleet.sql.number('SELECT uniqExact(uid) FROM use_case_changes')
    return known >= flows.length
  })

scenario('Redis loses everything under load', { fault: everything, repeats }, async (chaos) => {
  await audited(chaos)
  await loseEverything(chaos.fleet)
  await chaos.delivers(500)
})

scenario('Redis loses everything again before it is rebuilt', { fault: everything, repeats }, async (chaos) => {
  await audited(chaos)
  for (let round = 0; round < 4; round++) {
    await loseEverything(chaos.fleet)
    await sleep(chaos.random.int(0, 3000))
  }
  await chaos.delivers(500)
})

scenario('Redis and all workers are lost at once', { fault: everything, repeats }, async (chaos) => {
  const { fleet, random, delivers } = chaos
  await audited(chaos)
  for (const worker of fleet.workers) worker.kill('SIGKILL')
  await sleep(random.int(0, 500))
  await loseEverything(fleet)
  await Promise.all([fleet.startWorker(), fleet.startWorker()])
  await delivers(500)
})

scenario('Redis dies and has lost its last second', { fault: lastSecond, repeats }, async ({ fleet, random, delivers }) => {
  for (let round = 0; round < 3; round++) {
    await loseLast(fleet, 1000)
    await sleep(random.int(0, 1500))
    await fleet.own.redis.start()
    await delivers(random.int(100, 400))
  }
})

scenario('a machine with Redis and a worker loses its last second', { fault: lastSecond, repeats }, async (chaos) => {
  const { fleet, random, delivers } = chaos
  const victim = random.pick(fleet.workers)
  await Promise.all([loseLast(fleet, 1000), sleep(1000).then(() => victim.kill('SIGKILL'))])
  await fleet.own.redis.start()
  await fleet.startWorker()
  await delivers(500)
})

scenario(
  'Redis goes back by a second under living owners',
  { fault: older, repeats, fast: true },
  async ({ fleet, random, delivers }) => {
    for (let round = 0; round < 2; round++) {
      const old = keepState(fleet)
      await sleep(1000)
      await old.putBack()
      await delivers(random.int(100, 400))
    }
  },
)

/** Of three records one waits so long for its second attempt that it outlives its owner. */
const waitsForLong: FlowOptions = {
  behaviour: ({ offset, attempt }) => ({ delayMs: 5, status: offset % 3 === 0 && attempt === 1 ? 503 : 200 }),
  spec: { retry: { initialInterval: durationFromMs(10_000), maximumInterval: durationFromMs(10_000) } },
}

scenario(
  'Redis goes back by a second, and its owners die when they have gone on',
  { fault: older, repeats, flows: [waitsForLong] },
  async (chaos) => {
    const { fleet, delivers } = chaos
    const old = keepState(fleet)
    await sleep(2000)
    await old.putBack()
    await delivers(200)
    for (const worker of fleet.workers) worker.kill('SIGKILL')
    await Promise.all([fleet.startWorker(), fleet.startWorker()])
    await delivers(200)
  },
)

scenario('Redis goes back behind lanes that have moved', { fault: older, repeats }, async (chaos) => {
  const { fleet, delivers } = chaos
  for (const how of ['LEAVE', 'JOIN'] as const) {
    const old = keepState(fleet)
    await move(chaos, how)()
    await delivers(100)
    await old.putBack()
    await delivers(300)
  }
})

scenario('Redis goes back behind a use case that was registered', { fault: older, repeats }, async (chaos) => {
  for (const ordering of [Ordering.UNORDERED, Ordering.KEY]) {
    const old = keepState(chaos.fleet)
    const flow = await chaos.startFlow({
      ordering,
      publishedBefore: 200,
      whenRegistered: async () => {
        const known = chaos.flows.length
        await waitUntil(
          'the audit has it',
          auditMsMax,
          async () => (await chaos.fleet.sql.number('SELECT uniqExact(uid) FROM use_case_changes')) > known,
        )
        await old.putBack()
      },
    })
    await flow.delivers(300)
  }
})

const restoreProgram = join(import.meta.dirname, '../../../control-plane/restore.ts')

scenario(
  'definitions are gone from Redis, and one command brings them back',
  { fault: 'definitions restored by a command', repeats: 'NONE' },
  async (chaos) => {
    const { fleet, flows, random } = chaos
    await audited(chaos)
    await keepsItsLanes(chaos, async () => {
      await loseDefinitions(fleet)
      await sleep(random.int(0, 2000))
      const env = { ...process.env, ...fleet.addresses }
      const { stdout } = await promisify(execFile)(process.execPath, [restoreProgram], { env, timeout: 20_000 })
      for (const { useCase } of flows) {
        const { useCase: restored } = await fleet.client.useCases.getUseCase({ name: useCase.name })
        if (restored?.uid !== useCase.uid || !stdout.includes(useCase.name))
          throw new Error(`${useCase.name} is not restored:\n${stdout}`)
      }
      await chaos.delivers(300)
    })
  },
)

const linked = { links: ['worker-redis', 'control-plane-redis'] } as const

scenario('a replica that lags takes over', { fault: failover, repeats, fleet: linked }, async (chaos) => {
  const { fleet, random, delivers } = chaos
  const replica = chaos.keep(await Replica.start(fleet))
  replica.lag()
  await sleep(random.int(1000, 3000))
  await fleet.own.redis.kill()
  await replica.promote()
  fleet.leadRedisTo(replica.port)
  await delivers(500)
})

scenario('a replica that lags takes over from a Redis that lives', { fault: failover, repeats, fleet: linked }, async (chaos) => {
  const { fleet, random, delivers } = chaos
  const replica = chaos.keep(await Replica.start(fleet))
  replica.lag()
  // Lanes move meanwhile: the replica knows another owner of theirs.
  await move(chaos, 'JOIN')()
  await sleep(random.int(500, 1500))
  await replica.promote()
  fleet.leadRedisTo(replica.port)
  await delivers(500)
})
