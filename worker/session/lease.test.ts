import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { leaseKey } from '../../runtime/lane-keys.ts'
import type { Logger } from '../../runtime/log.ts'
import { connectRedis, type Redis } from '../../runtime/redis.ts'
import { privateStack, sharedStack } from '../../test/stack.ts'
import { Lease } from './lease.ts'

let redis: Redis
let instance: string

beforeAll(async () => {
  redis = connectRedis((await sharedStack()).redisUrl, 3000, { warn: () => {} } as unknown as Logger)
  await redis.ping()
})
afterAll(() => redis?.disconnect())
beforeEach(() => {
  instance = crypto.randomUUID()
})

const isValid = (lease: Lease): boolean => lease.isValid(performance.now(), Date.now())

describe('a lease', () => {
  test('counts from when its touch was sent, by both clocks', async () => {
    const lease = new Lease(redis, instance, 5000)
    expect(isValid(lease)).toBe(false)
    const before = performance.now()
    expect(await lease.touch()).toBe('HELD')
    expect(lease.isValid(before + 4999, Date.now())).toBe(true)
    expect(lease.isValid(performance.now() + 5000, Date.now())).toBe(false)
    expect(await redis.get(leaseKey(instance))).toBe('alive')
    // A machine that slept: the monotonic clock may have slept, too.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 6000 })
    expect(isValid(lease)).toBe(false)
    vi.useRealTimers()
    expect(isValid(lease)).toBe(true)
  })

  test('that is expelled is gone for ever, also before its end', async () => {
    const lease = new Lease(redis, instance, 5000)
    await lease.touch()
    await redis.set(leaseKey(instance), 'expelled')
    expect(await lease.touch()).toBe('GONE')
    expect(isValid(lease)).toBe(false)
    expect(await redis.get(leaseKey(instance))).toBe('expelled')
    await lease.leave()
    expect(await redis.get(leaseKey(instance))).toBe('expelled')
  })

  test('whose key Redis has lost is made again before its end, and is gone after it', async () => {
    const lease = new Lease(redis, instance, 150)
    await lease.touch()
    await redis.del(leaseKey(instance))
    expect(await lease.touch()).toBe('HELD')
    expect(await redis.get(leaseKey(instance))).toBe('alive')
    await vi.waitFor(async () => expect([isValid(lease), await redis.get(leaseKey(instance))]).toEqual([false, null]), 5000)
    expect(await lease.touch()).toBe('GONE')
  })

  test('that lapsed while its key stands goes on', async () => {
    const lease = new Lease(redis, instance, 100)
    await lease.touch()
    await redis.pexpire(leaseKey(instance), 60_000)
    await vi.waitFor(() => expect(isValid(lease)).toBe(false), 5000)
    expect(await lease.touch()).toBe('HELD')
    expect(isValid(lease)).toBe(true)
  })

  test('that is given back can be expelled at once', async () => {
    const lease = new Lease(redis, instance, 60_000)
    await lease.touch()
    await lease.leave()
    expect(isValid(lease)).toBe(false)
    expect(await redis.exists(leaseKey(instance))).toBe(0)
  })

  test('goes on while Redis is full', async () => {
    await using stack = await privateStack({ redis: true })
    const own = connectRedis(stack.redisUrl, 3000, { warn: () => {} } as unknown as Logger)
    await own.ping()
    const lease = new Lease(own, instance, 5000)
    await lease.touch()
    await own.config('SET', 'maxmemory', '1')
    await expect(own.set('more', 'memory')).rejects.toThrow('OOM')
    const before = performance.now()
    expect(await lease.touch()).toBe('HELD')
    expect(lease.isValid(before + 4999, Date.now())).toBe(true)
    expect(await own.pttl(leaseKey(instance))).toBeGreaterThan(0)
    own.disconnect()
  })

  test('whose touch is not answered is as long as it was', async () => {
    const away = connectRedis('redis://127.0.0.1:1', 50, { warn: () => {} } as unknown as Logger)
    await expect(new Lease(away, instance, 1000).touch()).rejects.toThrow()
    away.disconnect()
    await sleep(0)
  })
})
