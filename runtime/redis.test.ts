import { expect, test } from 'vitest'
import { Link } from '../test/harness/link.ts'
import { sharedStack } from '../test/stack.ts'
import type { Logger } from './log.ts'
import { connectRedis, onReconnected } from './redis.ts'

test('a command whose connection is cut fails at once, is not sent again, and the next one goes through', async () => {
  const { redisUrl } = await sharedStack()
  await using link = await Link.open(() => Number(new URL(redisUrl).port))
  const redis = connectRedis(`redis://127.0.0.1:${link.port}`, 20_000, { warn: () => {} } as unknown as Logger)
  await redis.ping()
  const back = new Promise<void>((resolve) => onReconnected(redis, resolve))
  const key = `count-${crypto.randomUUID()}`
  await redis.incr(key)
  link.state = 'STALL_ANSWERS'
  const unanswered = redis.incr(key).catch((error: Error) => error.message)
  const direct = connectRedis(redisUrl, 5000, { warn: () => {} } as unknown as Logger)
  await expect.poll(() => direct.get(key), { timeout: 5000 }).toBe('2')
  link.cut()
  link.state = 'PASS'
  const startedMs = performance.now()
  expect(await unanswered).toContain('closed before the answer')
  expect(performance.now() - startedMs).toBeLessThan(5000)
  await back
  expect(await redis.incr(key)).toBe(3)
  await direct.del(key)
  for (const each of [redis, direct]) each.disconnect()
})
