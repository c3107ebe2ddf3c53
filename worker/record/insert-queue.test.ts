import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Logger } from '../../runtime/log.ts'
import { InsertQueue } from './insert-queue.ts'
import { type Insert, RefusedRowsError } from './log-insert.ts'
import { attemptInserts } from './log-table.ts'

const silent = { info: () => {}, warn: () => {}, error: () => {} } as unknown as Logger

interface Try {
  readonly token: string
  end(error?: Error): Promise<void>
}

const settle = (): Promise<void> => vi.advanceTimersByTimeAsync(0).then(() => {})

/** A queue between a ClickHouse and a Kafka whose answers the test gives. */
function open(options: { bytesMax?: number; insertsMax?: number } = {}) {
  const made = { now: 0, clickhouse: [] as Try[], kafka: [] as Try[], heard: [] as string[], free: [] as string[] }
  const pending =
    (tries: Try[]): Insert =>
    (_table, _rows, token) =>
      new Promise((resolve, reject) => {
        const end = (error?: Error): Promise<void> => {
          if (error === undefined) resolve()
          else reject(error)
          return settle()
        }
        tries.push({ token, end })
      })
  const limits = { bytesMax: 1000, insertsMax: 2, ...options, spoolAfterMs: 5000, now: () => made.now }
  const queue = new InsertQueue(pending(made.clickhouse), pending(made.kafka), limits, silent, () => {})
  const push = (token: string, size = 100): void =>
    queue.push({
      ...{ table: attemptInserts, bytes: Buffer.from('row'), ends: [3], rows: 1, token, size },
      acknowledge: (isFree) => {
        made.heard.push(token)
        if (isFree) made.free.push(token)
      },
    })
  const tokens = (tries: readonly Try[]): string[] => tries.map(({ token }) => token)
  /** Away for so long that the spool is used. */
  const pass = async (ms: number): Promise<void> => {
    made.now += ms
    await vi.advanceTimersByTimeAsync(ms)
    queue.look()
    await settle()
  }
  return { queue, push, pass, tokens, ...made, made }
}

const away = new Error('connect ECONNREFUSED')

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('inserts that are frozen', () => {
  test('go into ClickHouse for as long as it has been away for a moment only', async () => {
    const { queue, push, pass, clickhouse, kafka, heard } = open()
    push('a')
    await clickhouse[0]!.end(away)
    await pass(4000)
    expect([queue.isSpooling, kafka.length]).toEqual([false, 0])
    expect(clickhouse).toHaveLength(2)
    await clickhouse[1]!.end()
    expect(heard).toEqual(['a'])
  })

  test('go into the spool in their order when ClickHouse has hung for long, and their bytes are not free', async () => {
    const { queue, push, pass, tokens, clickhouse, kafka, heard, free } = open()
    for (const token of ['a', 'b', 'c', 'd']) push(token)
    expect(tokens(clickhouse)).toEqual(['a', 'b'])
    await pass(5000)
    expect(queue.isSpooling).toBe(true)
    for (let at = 0; at < 4; at++) await kafka[at]!.end()
    expect(tokens(kafka)).toEqual(['a', 'b', 'c', 'd'])
    expect(heard).toEqual(['a', 'b', 'c', 'd'])
    // Requests with the bytes of a and b may still be under way.
    expect(free).toEqual(['c', 'd'])
    expect([queue.spooledInserts, queue.ready, queue.open]).toEqual([4, true, true])
  })

  test('go into the spool as soon as nothing more may wait, once ClickHouse has failed', async () => {
    const { queue, push, pass, clickhouse, kafka } = open({ bytesMax: 200 })
    push('a')
    push('b')
    await pass(10)
    expect([queue.open, queue.isSpooling]).toEqual([false, false])
    await clickhouse[0]!.end(away)
    await pass(10)
    expect(queue.isSpooling).toBe(true)
    await kafka[0]!.end()
    expect(queue.open).toBe(true)
  })

  test('are not tried at ClickHouse any more once they are in the spool', async () => {
    const { push, pass, tokens, clickhouse, kafka } = open({ insertsMax: 1 })
    push('a')
    await pass(5000)
    await kafka[0]!.end()
    await clickhouse[0]!.end(away)
    await pass(60_000)
    expect(tokens(clickhouse)).toEqual(['a'])
  })

  test('are tried at ClickHouse beside the spool, one a second and each once, until it takes one', async () => {
    const { queue, push, pass, tokens, clickhouse, kafka, heard, made } = open({ insertsMax: 1 })
    push('a')
    await pass(5000)
    await kafka[0]!.end()
    await clickhouse[0]!.end(away)
    push('b')
    // Another one may be tried: of those that come within a second of it, none.
    expect(tokens(clickhouse)).toEqual(['a', 'b'])
    await clickhouse[1]!.end(away)
    for (const token of ['c', 'd']) push(token)
    for (let at = 1; at < 4; at++) await kafka[at]!.end()
    expect(tokens(clickhouse)).toEqual(['a', 'b'])
    made.now += 1000
    push('e')
    expect(tokens(clickhouse)).toEqual(['a', 'b', 'e'])
    expect(tokens(kafka)).toEqual(['a', 'b', 'c', 'd', 'e'])
    // It takes, and the spool, too: both under one token.
    await clickhouse.at(-1)!.end()
    expect(queue.isSpooling).toBe(false)
    await kafka[4]!.end()
    expect(heard).toEqual(['a', 'b', 'c', 'd', 'e'])
    push('f')
    expect(tokens(clickhouse).at(-1)).toBe('f')
    expect(kafka).toHaveLength(5)
  })

  test('wait while Kafka is away, too, and go wherever they are taken first', async () => {
    const { queue, push, pass, clickhouse, kafka, heard, made } = open({ insertsMax: 1 })
    push('a')
    await clickhouse[0]!.end(away)
    await pass(5000)
    push('b')
    await clickhouse.at(-1)!.end(away)
    await kafka[0]!.end(away)
    await pass(10_000)
    expect(heard).toEqual([])
    expect(kafka.length).toBeGreaterThan(1)
    made.now += 1000
    push('c')
    await clickhouse.at(-1)!.end()
    expect(queue.isSpooling).toBe(false)
    await kafka.at(-1)!.end(away)
    for (let rounds = 0; heard.length < 3; rounds++) {
      expect(rounds).toBeLessThan(20)
      await clickhouse.at(-1)!.end()
      await pass(100)
    }
    expect(heard).toEqual(['a', 'b', 'c'])
  })

  test('that Kafka finds too large go there without headers and bodies', async () => {
    const rows: string[] = []
    const insert: Insert = () => Promise.reject(away)
    const spool: Insert = async (_table, bytes, token) => {
      if (bytes.length > 5) throw new RefusedRowsError('Kafka', 10, 'larger than max.message.bytes')
      rows.push(`${token} ${bytes}`)
    }
    let now = 0
    const options = { bytesMax: 1000, insertsMax: 1, spoolAfterMs: 100, now: () => now }
    const queue = new InsertQueue(insert, spool, options, silent, () => {})
    const heard: string[] = []
    const table = { name: 't', columns: 'c', strip: () => Buffer.from('short') }
    const bytes = Buffer.from('one, two, three')
    queue.push({ table, bytes, ends: [5, 15], rows: 2, token: 'x', size: 15, acknowledge: () => heard.push('x') })
    now = 200
    queue.look()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(rows).toEqual(['x.0-1 one, ', 'x.1-2k10 short'])
    expect([heard, queue.strippedRows]).toEqual([['x'], 1])
  })

  test('call back once when one can begin', async () => {
    const { queue, push, clickhouse } = open({ insertsMax: 1 })
    let calls = 0
    const count = (): void => {
      calls++
    }
    push('a')
    queue.whenReady(count)
    queue.whenReady(count)
    expect(calls).toBe(0)
    await clickhouse[0]!.end()
    expect(calls).toBe(1)
  })
})
