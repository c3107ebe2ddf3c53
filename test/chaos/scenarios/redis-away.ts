// Redis does not take or answer what it is told, and loses nothing: no lane changes its owner for it, and nothing is repeated but
// what was on its way when a lease ended.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fleet } from '../../harness/fleet.ts'
import { askRedisAt } from '../../harness/redis.ts'
import { endsInOrder } from '../ends-in-order.ts'
import { keepsItsLanes } from '../redis/keeps-its-lanes.ts'
import { Replica } from '../redis/replica.ts'
import { scenario } from '../scenario.ts'

const full = 'a full Redis'
const readOnly = 'a read-only replica in the place of Redis'
const blackHole = 'Redis in a black hole'
const lostReply = "a checkpoint's reply is lost"

const linked = { links: ['worker-redis', 'control-plane-redis'] } as const
/** The scenarios' lease is 3 s. */
const withinLeaseMs = 1500
const pastLeaseMs = 6000

scenario('Redis is full for longer than a lease', { fault: full, repeats: 'NONE' }, (chaos) =>
  keepsItsLanes(chaos, async () => {
    await isFull(chaos.fleet, pastLeaseMs)
    await chaos.delivers(300)
  }),
)

scenario('Redis is full while lanes move', { fault: full, repeats: 'NONE' }, async ({ fleet, random, delivers }) => {
  const victim = random.pick(fleet.workers)
  await sleep(random.int(0, 500))
  const joined = fleet.startWorker()
  victim.kill('SIGTERM')
  await sleep(random.int(0, 300))
  await isFull(fleet, withinLeaseMs)
  await joined
  await endsInOrder(victim, 20_000)
  await delivers(300)
})

scenario('Redis answers nothing for less than a lease', { fault: blackHole, repeats: 'NONE', fleet: linked }, (chaos) =>
  keepsItsLanes(chaos, async () => {
    for (let round = 0; round < 3; round++) {
      await stall(chaos.fleet, withinLeaseMs)
      await chaos.delivers(chaos.random.int(100, 300))
    }
  }),
)

scenario(
  'Redis answers nothing for longer than a lease',
  { fault: blackHole, repeats: 'UNLOGGED', fleet: linked },
  async (chaos) => {
    await stall(chaos.fleet, pastLeaseMs)
    await chaos.delivers(500)
  },
)

scenario('Redis stands still for longer than a lease', { fault: blackHole, repeats: 'UNLOGGED' }, async ({ fleet, delivers }) => {
  fleet.own.redis.pause()
  await sleep(pastLeaseMs)
  fleet.own.redis.resume()
  await delivers(500)
})

scenario('a read-only replica is there for less than a lease', { fault: readOnly, repeats: 'NONE', fleet: linked }, (chaos) =>
  keepsItsLanes(chaos, async () => {
    const replica = chaos.keep(await Replica.start(chaos.fleet))
    await visit(chaos.fleet, replica, withinLeaseMs)
    await chaos.delivers(300)
  }),
)

scenario(
  'a read-only replica is there for longer than a lease',
  { fault: readOnly, repeats: 'UNLOGGED', fleet: linked },
  async (chaos) => {
    const replica = chaos.keep(await Replica.start(chaos.fleet))
    await visit(chaos.fleet, replica, pastLeaseMs)
    await chaos.delivers(300)
  },
)

scenario(
  'the replies to checkpoints are lost',
  { fault: lostReply, repeats: 'NONE', fleet: { links: ['worker-redis'] } },
  (chaos) =>
    keepsItsLanes(chaos, async () => {
      const link = chaos.fleet.link('worker-redis')
      for (let round = 0; round < 5; round++) {
        link.state = 'STALL_ANSWERS'
        await sleep(chaos.random.int(300, 1000))
        link.cut()
        link.state = 'PASS'
        await chaos.delivers(chaos.random.int(50, 200))
      }
    }),
)

/** Writes that need memory are refused; those that give some back are not. */
async function isFull({ redisPort }: Fleet, ms: number): Promise<void> {
  await askRedisAt(redisPort, async (redis) => {
    const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))![1])
    await redis.config('SET', 'maxmemory', String(used))
    await sleep(ms)
    await redis.config('SET', 'maxmemory', '0')
    const refused = Number(/errorstat_OOM:count=(\d+)/.exec(await redis.info('errorstats'))?.[1] ?? 0)
    if (refused === 0) throw new Error('Redis was not full: it has refused nothing')
  })
}

async function stall(fleet: Fleet, ms: number): Promise<void> {
  const links = linked.links.map((name) => fleet.link(name))
  for (const link of links) link.state = 'STALL'
  await sleep(ms)
  for (const link of links) link.state = 'PASS'
}

async function visit(fleet: Fleet, replica: Replica, ms: number): Promise<void> {
  fleet.leadRedisTo(replica.port)
  await sleep(ms)
  fleet.leadRedisTo(undefined)
}
