import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { leaseKey } from '../../runtime/lane-keys.ts'
import { connectRedis, type Redis } from '../../runtime/redis.ts'
import { sharedStack } from '../../test/stack.ts'
import { expel, readLease } from './expel.ts'
import { type FleetKeys, fleetKeys } from './fleet-keys.ts'
import { Grants } from './grants.ts'
import { Leader } from './leader.ts'
import { silentLog } from './test-fleet.ts'

const leaseMs = 600
let redisUrl: string
let redis: Redis
const connections: Redis[] = []
const leaders: Leader[] = []

beforeAll(async () => {
  redisUrl = (await sharedStack()).redisUrl
  redis = connectRedis(redisUrl, 2000, silentLog)
}, 120_000)

afterEach(async () => {
  await Promise.all(leaders.splice(0).map((leader) => leader.stop()))
  for (const each of connections.splice(0)) each.disconnect()
})

afterAll(() => redis.disconnect())

const newKeys = (): FleetKeys => fleetKeys(`control-${randomBytes(6).toString('hex')}`)

function leader(
  keys: FleetKeys,
  replica = randomBytes(4).toString('hex'),
): { leader: Leader; redis: Redis; changes: () => number } {
  const own = connectRedis(redisUrl, 2000, silentLog)
  connections.push(own)
  let changes = 0
  const onChange = (): void => void changes++
  const made = new Leader({ redis: own, keys, replica, address: () => `${replica}:1`, leaseMs, log: silentLog, onChange })
  leaders.push(made)
  made.start()
  return { leader: made, redis: own, changes: () => changes }
}

const elected = (each: Leader): Promise<number> =>
  vi.waitFor(
    () => {
      const led = each.lead()
      if (led === undefined) throw new Error(`not elected: ${each.problem}`)
      return led.term
    },
    { timeout: 10_000, interval: 10 },
  )

test('one of two replicas leads, and the other knows where', async () => {
  const keys = newKeys()
  const first = leader(keys, 'first')
  await elected(first.leader)
  const second = leader(keys, 'second')
  await vi.waitFor(() => expect(second.leader.otherAddress).toBe('first:1'), { timeout: 5000 })
  expect(second.leader.lead()).toBeUndefined()
  expect(second.leader.problem).toBeUndefined()
})

test('a leader that resigns is followed at once, with a higher term', async () => {
  const keys = newKeys()
  const first = leader(keys)
  const term = await elected(first.leader)
  expect(term).toBeGreaterThan(Date.now() - 60_000)
  const second = leader(keys)
  await first.leader.stop()
  expect(first.leader.lead()).toBeUndefined()
  expect(await elected(second.leader)).toBeGreaterThan(term)
  expect(first.changes()).toBe(2)
})

test('terms grow also when the clock has gone back', async () => {
  const keys = newKeys()
  const future = Date.now() + 3_600_000
  await redis.set(keys.term, future)
  expect(await elected(leader(keys).leader)).toBe(future + 1)
})

test('a leader that cannot reach Redis stops leading before another is elected', async () => {
  const keys = newKeys()
  const first = leader(keys)
  await elected(first.leader)
  const second = leader(keys)
  first.redis.disconnect()
  await vi.waitFor(
    () => {
      // Never both, at any moment that is looked at.
      if (second.leader.lead() !== undefined) expect(first.leader.lead()).toBeUndefined()
      expect(second.leader.lead()).toBeDefined()
    },
    { timeout: 10_000, interval: 1 },
  )
  await vi.waitFor(() => expect(first.leader.problem).toMatch(/Redis does not say who leads/), { timeout: 5000 })
})

test('a leader whose lease Redis has lost stands for a new term', async () => {
  const keys = newKeys()
  const first = leader(keys)
  const term = await elected(first.leader)
  await redis.del(keys.leader, keys.term)
  await vi.waitFor(() => expect(first.leader.lead()?.term).toBeGreaterThan(term), { timeout: 10_000 })
})

test('assignments of a term that is over are not written', async () => {
  const keys = newKeys()
  const first = leader(keys)
  const term = await elected(first.leader)
  const grants = new Grants(redis, keys)
  const id = { uid: 'u', cluster: 'default', topic: 'orders', partition: 0 }
  expect(await grants.write(term, [{ key: 'u/default/orders/0', id, instance: 'x', epoch: 5 }])).toBe(true)
  await first.leader.stop()
  await elected(leader(keys).leader)
  expect(await grants.write(term, [{ key: 'u/default/orders/0', id, instance: 'y', epoch: 6 }])).toBe(false)
  expect(await grants.remove(term, ['u/default/orders/0'])).toBe(false)
  expect(await grants.readAll()).toEqual(new Map([['u/default/orders/0', { epoch: 5, instance: 'x' }]]))
})

test('an instance is expelled only when its lease is over, and for long', async () => {
  const instance = randomBytes(6).toString('hex')
  await redis.set(leaseKey(instance), 'alive', 'PX', 300)
  const leftMs = await expel(redis, instance, 60_000)
  expect(leftMs).toBeGreaterThan(0)
  expect(leftMs).toBeLessThanOrEqual(300)
  expect(await readLease(redis, instance)).toBe('ALIVE')
  await vi.waitFor(async () => expect(await expel(redis, instance, 60_000)).toBe(0), { timeout: 5000, interval: 20 })
  expect(await readLease(redis, instance)).toBe('EXPELLED')
  expect(await redis.pttl(leaseKey(instance))).toBeGreaterThan(50_000)
  // Once more, as a new leader does.
  expect(await expel(redis, instance, 60_000)).toBe(0)
  await redis.del(leaseKey(instance))
  expect(await readLease(redis, instance)).toBe('NONE')
})
