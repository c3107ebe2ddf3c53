import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { isPortFree } from '../deploy/local/free-port.ts'
import { privateStack, sharedStack } from './stack.ts'

const dataDirs = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith(`ferry-test-${process.pid}-`))

test('whoever asks for the shared stack gets the same one, and it answers', async () => {
  const [one, another] = await Promise.all([sharedStack(), sharedStack()])
  expect(one).toEqual(another)
  const answer = await fetch(one.clickhouseUrl, { method: 'POST', body: 'SELECT 1' })
  expect(await answer.text()).toBe('1\n')
  for (const address of [one.redisUrl, `kafka://${one.kafkaBrokers[0]}`]) {
    expect(await isPortFree(Number(new URL(address).port)), address).toBe(false)
  }
})

test('a private stack is another one, and leaves neither process nor data', async () => {
  const { redisUrl } = await sharedStack()
  let port: number
  {
    await using stack = await privateStack({ redis: true })
    port = stack.redis.port
    expect(stack.redisUrl).not.toBe(redisUrl)
    expect(dataDirs()).toHaveLength(1)
  }
  expect(await isPortFree(port)).toBe(true)
  expect(dataDirs()).toEqual([])
})
