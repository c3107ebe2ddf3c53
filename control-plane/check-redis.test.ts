import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Stack } from '../deploy/local/stack.ts'
import { createLog } from '../runtime/log.ts'
import { connectRedis, type Redis } from '../runtime/redis.ts'
import { privateStack } from '../test/stack.ts'
import { checkRedisSettings } from './check-redis.ts'

const log = createLog('control-plane', 'error')
const warnings: string[] = []
const warn: typeof log.warn = (_fields: unknown, message?: string) => void warnings.push(message ?? '')
let stack: Stack & AsyncDisposable
let redis: Redis

beforeAll(async () => {
  stack = await privateStack({ redis: true })
  redis = connectRedis(stack.redisUrl, 5000, log)
}, 120_000)

afterAll(async () => {
  redis.disconnect()
  await stack[Symbol.asyncDispose]()
})

async function warningsNow(): Promise<string[]> {
  warnings.length = 0
  await checkRedisSettings(redis, Object.assign(Object.create(log), { warn }))
  return warnings
}

test('a Redis that keeps what it is given is no reason for a word', async () => {
  expect(await warningsNow()).toEqual([])
})

test('a Redis that forgets, or drops lane state when it is full, is told with what to set', async () => {
  await redis.config('SET', 'appendonly', 'no')
  await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
  expect(await warningsNow()).toEqual([
    expect.stringContaining('Set appendonly yes'),
    expect.stringContaining('Set maxmemory-policy noeviction'),
  ])
})

test('a Redis that does not tell its settings is said to be unknown', async () => {
  await redis.acl('SETUSER', 'default', '-config')
  expect(await warningsNow()).toEqual([expect.stringContaining('cannot be read')])
})
