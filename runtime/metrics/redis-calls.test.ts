import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { sharedStack } from '../../test/stack.ts'
import { connectRedis, defineScript } from '../redis.ts'
import { meterRedis } from './redis-calls.ts'

const silent = { warn: () => {} } as never

test('commands, scripts, pipelines and transactions all count, and those that fail as failed', async () => {
  const redis = connectRedis((await sharedStack()).redisUrl, 5000, silent)
  await redis.ping()
  const calls = meterRedis(redis)
  await redis.get('nothing')
  expect([calls.answered, calls.failed]).toEqual([1, 0])
  const commands = ['a', 'b'].map((key) => ['get', key])
  await (redis as Redis).pipeline(commands).exec()
  expect(calls.answered).toBe(3)
  await redis.multi().get('a').exec()
  expect(calls.answered).toBe(6)
  await defineScript(`return ${Math.random()}`)(redis, ['k'], [])
  // By its hash first, which the server does not know.
  expect([calls.answered, calls.failed]).toEqual([7, 1])
  await expect(redis.call('nonsense')).rejects.toThrow('unknown command')
  expect(calls.failed).toBe(2)
  expect(calls.seconds.counts.reduce((sum, each) => sum + each, 0)).toBe(9)
  redis.disconnect()
})
