import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import kafkajs from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { isAlive } from '../../test/is-alive.ts'
import { clickhouseSpec } from './clickhouse.ts'
import { createTopic } from './create-topic.ts'
import { freePort, isPortFree } from './free-port.ts'
import { kafkaSpec } from './kafka.ts'
import { Part } from './part.ts'
import { redisSpec } from './redis.ts'
import { type Stack, startStack } from './stack.ts'

const root = mkdtempSync(join(tmpdir(), 'ferry-stack-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

describe('a whole stack', () => {
  let stack: Stack
  const deaths: string[] = []

  beforeAll(async () => {
    stack = await startStack({ dataDir: join(root, 'whole'), onDeath: (message) => deaths.push(message) })
  })
  afterAll(() => stack?.stop())

  const query = async (sql: string): Promise<string> => {
    const answer = await fetch(stack.clickhouseUrl, { method: 'POST', body: sql })
    const text = await answer.text()
    if (!answer.ok) throw new Error(text)
    return text.trim()
  }

  const withRedis = async <T>(use: (redis: Redis) => Promise<T>): Promise<T> => {
    const redis = new Redis(stack.redisUrl)
    return use(redis).finally(() => redis.disconnect())
  }

  const kafka = () =>
    new kafkajs.Kafka({
      brokers: stack.kafkaBrokers,
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { retries: 2, initialRetryTime: 50 },
    })

  const produce = async (value: string): Promise<void> => {
    const producer = kafka().producer()
    await producer.connect()
    await producer.send({ topic: 'kept', messages: [{ value }] })
    await producer.disconnect()
  }

  const endOffset = async (): Promise<string> => {
    const admin = kafka().admin()
    await admin.connect()
    const offsets = await admin.fetchTopicOffsets('kept')
    await admin.disconnect()
    return offsets[0]!.high
  }

  test('ClickHouse keeps what was inserted over a stop and over a kill, on the same port', async () => {
    const { port } = stack.clickhouse
    await query('CREATE DATABASE kept')
    await query('CREATE TABLE kept.rows (a Int32) ENGINE = MergeTree ORDER BY a')
    await query('INSERT INTO kept.rows VALUES (1)')
    await stack.clickhouse.restart()
    await query('INSERT INTO kept.rows VALUES (2)')
    await stack.clickhouse.kill()
    await expect(query('SELECT 1')).rejects.toThrow()
    await stack.clickhouse.restart()
    expect(await query('SELECT groupArray(a) FROM (SELECT a FROM kept.rows ORDER BY a)')).toBe('[1,2]')
    expect(stack.clickhouse.port).toBe(port)
  })

  test('Redis keeps what was written over a stop and over a kill', async () => {
    await withRedis((redis) => redis.set('first', '1'))
    await stack.redis.restart()
    await withRedis((redis) => redis.set('second', '2'))
    await stack.redis.kill()
    await stack.redis.restart()
    expect(await withRedis((redis) => redis.mget('first', 'second'))).toEqual(['1', '2'])
  })

  test('Redis appends to a file, evicts nothing and takes no snapshots', async () => {
    const read = (name: string) => withRedis(async (redis) => ((await redis.config('GET', name)) as string[])[1])
    expect(await read('appendonly')).toBe('yes')
    expect(await read('appendfsync')).toBe('everysec')
    expect(await read('maxmemory-policy')).toBe('noeviction')
    expect(await read('save')).toBe('')
  })

  test('Kafka keeps topics and records over a stop and over a kill, and creates no topic by itself', async () => {
    await expect(produce('nobody made the topic')).rejects.toThrow()
    const admin = kafka().admin()
    await admin.connect()
    await createTopic(admin, { topic: 'kept', numPartitions: 1 })
    await admin.disconnect()
    await produce('first')
    await stack.kafka.restart()
    await produce('second')
    await stack.kafka.kill()
    await stack.kafka.restart()
    expect(await endOffset()).toBe('2')
  })

  test('a paused part answers nobody, and goes on as if nothing had been', async () => {
    stack.redis.pause()
    const late = withRedis((redis) => redis.set('late', '3'))
    expect(await Promise.race([late, sleep(300, 'nobody answered')])).toBe('nobody answered')
    stack.redis.resume()
    expect(await late).toBe('OK')
  })

  test('a part that was asked to end is no death, and one that ends by itself is', async () => {
    expect(deaths).toEqual([])
    process.kill(stack.redis.pid, 'SIGTERM')
    await vi.waitFor(() => expect(deaths).toEqual([expect.stringMatching(/^redis has ended \(exit code 0\)/)]))
    expect(() => stack.redis.pid).toThrow('redis does not run')
    await stack.redis.restart()
  })

  test('a second stack cannot have a port that is taken, and leaves nothing behind', async () => {
    const second = startStack({ dataDir: join(root, 'second'), redis: true, ports: { redis: stack.redis.port } })
    await expect(second).rejects.toMatchObject({ code: 'PORT_TAKEN', message: expect.stringContaining(String(stack.redis.port)) })
  })
})

test('when one part cannot start the others end too', async () => {
  const redisPort = await freePort()
  const starting = startStack({
    dataDir: join(root, 'half'),
    kafka: true,
    redis: true,
    ports: { redis: redisPort },
    kafkaProperties: { 'process.roles': 'none of these' },
  })
  await expect(starting).rejects.toMatchObject({ code: 'DID_NOT_START' })
  expect(await isPortFree(redisPort)).toBe(true)
})

test('a part whose port another server has taken does not take its answers for its own', async () => {
  const other = createServer((_request, response) => response.end('Ok.\n'))
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  const dir = (name: string): string => mkdtempSync(join(root, name))
  const specs = [
    redisSpec(dir('r'), port),
    clickhouseSpec(dir('c'), port),
    await kafkaSpec(dir('k'), { id: 1, port, controllerPort: await freePort(), isReplicated: false }, {}),
  ]
  for (const spec of specs) {
    const start = new Part({ ...spec, onDeath: () => {} }).start()
    await expect(start, spec.name).rejects.toMatchObject({ code: 'PORT_TAKEN' })
  }
  other.close()
})

test('a stack that was started without a part says so', async () => {
  const stack = await startStack({ dataDir: join(root, 'redis'), redis: true })
  expect(() => stack.kafkaBrokers).toThrow('this stack was started without kafka')
  await stack.stop()
})

test('kill -9 of the process that started a stack leaves none of its children', async () => {
  const script = `
    const { startStack } = await import(${JSON.stringify(join(import.meta.dirname, 'stack.ts'))})
    const stack = await startStack({ dataDir: ${JSON.stringify(join(root, 'orphans'))} })
    stack.redis.pause()
    console.log(JSON.stringify([stack.kafka.pid, stack.redis.pid, stack.clickhouse.pid]))`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const pids: number[] = await new Promise((resolve, reject) => {
    parent.stdout.once('data', (chunk) => resolve(JSON.parse(String(chunk))))
    parent.once('exit', (code) => reject(new Error(`the parent ended with ${code}`)))
  })
  expect(pids.filter(isAlive)).toHaveLength(3)
  parent.kill('SIGKILL')
  await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), { timeout: 5_000 })
})
