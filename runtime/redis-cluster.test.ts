import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { RedisCluster } from '../test/harness/redis-cluster.ts'
import type { Logger } from './log.ts'
import { connectRedis, defineScript, onReconnected, type Redis, runMany, serversOf } from './redis.ts'

const commandTimeoutMs = 1500
let cluster: RedisCluster
let redis: Redis
let reconnected = 0

beforeAll(async () => {
  cluster = await RedisCluster.start()
  redis = connectRedis(cluster.url, commandTimeoutMs, { warn: () => {} } as unknown as Logger)
  onReconnected(redis, () => void reconnected++)
  await redis.ping()
})
afterAll(async () => {
  redis?.disconnect()
  await cluster?.[Symbol.asyncDispose]()
})

/** Two keys of one slot, of which one is never there. KEYS count other  ARGV by how much */
const add = defineScript(`
redis.call('EXISTS', KEYS[2])
return redis.call('INCRBY', KEYS[1], ARGV[1])
`)
const addTo = (name: string, by: number): Promise<unknown> => add(redis, [`{${name}}:count`, `{${name}}:other`], [by])

describe('on a cluster', () => {
  test('scripts and commands find the nodes of their keys, whichever these are', async () => {
    const names = Array.from({ length: 60 }, (_, index) => `lane-${index}`)
    await Promise.all(names.map((name, index) => addTo(name, index)))
    const commands = names.map((name) => ['get', `{${name}}:count`] as const)
    expect(await runMany(redis, commands)).toEqual(names.map((_, index) => String(index)))
    const used = await Promise.all(serversOf(redis).map((server) => server.dbsize()))
    expect(used.filter((keys) => keys > 0)).toHaveLength(3)
  })

  test('a slot that moves takes its scripts along, and none is done twice', async () => {
    let added = 0
    let isMoving = true
    const adding = (async () => {
      while (isMoving) {
        await addTo('moving', 1)
        added++
      }
    })()
    for (let moves = 0; moves < 4; moves++) {
      const before = added
      await cluster.moveSlot('{moving}:count')
      await vi.waitFor(() => expect(added).toBeGreaterThan(before + 10), 5000)
    }
    isMoving = false
    await adding
    expect(Number(await redis.get('{moving}:count'))).toBe(added)
  })

  test('while a master is dead its commands fail in time; then its replica answers, and whoever must know is told', async () => {
    await addTo('orphan', 1)
    const { master } = await cluster.ownerOf('{orphan}:count')
    // What a master has answered and not passed on is lost with it.
    await serversOf(redis)
      .find(({ options }) => options.port === master.port)!
      .wait(1, 5000)
    const told = reconnected
    await master.part.kill()
    const startedMs = performance.now()
    await expect(addTo('orphan', 1)).rejects.toThrow()
    expect(performance.now() - startedMs).toBeLessThan(commandTimeoutMs + 1000)
    expect(Number(await vi.waitFor(() => addTo('orphan', 1), { timeout: 30_000, interval: 100 }))).toBe(2)
    expect(reconnected).toBeGreaterThan(told)
    expect((await cluster.ownerOf('{orphan}:count')).master.id).not.toBe(master.id)
  })
})
