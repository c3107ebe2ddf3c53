import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Logger } from '../../runtime/log.ts'
import { AttemptLog } from '../record/attempt-log.ts'
import { encodeLane } from '../record/encode-attempt.ts'
import { insertBatch } from '../record/insert-batch.ts'
import { InsertQueue } from '../record/insert-queue.ts'
import { type Insert, RefusedRowsError } from '../record/log-insert.ts'
import type { LogTable } from '../record/log-table.ts'
import { findRowEnds } from '../record/row-layout.ts'
import { sampleAttempt, sampleLane } from '../record/sample-log.ts'
import { fromMessage, type SpoolMessage, toMessage } from './spooled-insert.ts'

const silent = { info: () => {}, warn: () => {}, error: () => {} } as unknown as Logger
const lane = encodeLane(sampleLane)
const modes = ['UP', 'DOWN', 'LOSES_ANSWERS', 'HANGS'] as const
type Mode = (typeof modes)[number]

/** Somebody who takes inserts, or does not. What hangs is looked at again when that ends: its bytes must be what they were. */
class Taker {
  mode: Mode = 'UP'
  readonly #take: (table: LogTable, rows: Buffer, token: string) => void
  readonly #hanging: (() => void)[] = []

  constructor(take: (table: LogTable, rows: Buffer, token: string) => void) {
    this.#take = take
  }

  become(mode: Mode): void {
    this.mode = mode
    for (const wake of this.#hanging.splice(0)) wake()
  }

  readonly insert: Insert = async (table, rows, token) => {
    const before = rows.toString('latin1')
    if (this.mode === 'HANGS') {
      await new Promise<void>((resolve) => this.#hanging.push(resolve))
      expect(rows.toString('latin1')).toBe(before)
      throw new Error('timed out')
    }
    if (this.mode === 'DOWN') throw new Error('connect ECONNREFUSED')
    this.#take(table, Buffer.from(rows), token)
    if (this.mode === 'LOSES_ANSWERS') throw new Error('socket hang up')
  }
}

/** ClickHouse, Kafka, and workers one after the other between them. */
class World {
  /** Token -> bytes, of everything that was ever sent to anybody. */
  readonly sent = new Map<string, string>()
  readonly taken = new Map<string, Buffer>()
  readonly spool: SpoolMessage[] = []
  readonly acknowledged = new Set<number>()
  readonly clickhouse = new Taker((_table, rows, token) => this.#takeRows(rows, token))
  readonly kafka = new Taker((table, rows, token) => this.#takeMessage(table, rows, token))
  log!: AttemptLog<never>
  queue!: InsertQueue
  #workers = 0
  #offset = 0
  #drained = 0
  #now = 0

  constructor() {
    this.start()
  }

  /** Another process, with an id of its own; what the one before had in memory is gone, what it has sent may still arrive. */
  start(): void {
    const options = { bytesMax: 4 * 65_536, insertsMax: 2, spoolAfterMs: 1000, now: () => this.#now }
    this.queue = new InsertQueue(this.clickhouse.insert, this.kafka.insert, options, silent, () => {})
    this.log = new AttemptLog(this.queue, { instance: `worker-${this.#workers++}`, batchBytes: 2000 })
  }

  add(count: number, isPoison: boolean): void {
    const owner = { acknowledged: (slot: number) => void this.acknowledged.add(slot) }
    for (let i = 0; i < count && this.log.open; i++) {
      const offset = this.#offset++
      const requestBody = Buffer.from(isPoison && i === 0 ? 'poison' : `body ${offset}`)
      this.log.add(lane, sampleAttempt({ offset, requestBody }), owner, offset, undefined)
    }
  }

  async pass(ms: number): Promise<void> {
    this.#now += ms
    this.log.flush()
    this.queue.look()
    await vi.advanceTimersByTimeAsync(ms)
  }

  /** The next message of the spool, as far as ClickHouse takes it. */
  async drain(): Promise<void> {
    const message = this.spool[this.#drained]
    if (message === undefined || this.clickhouse.mode === 'HANGS') return
    const { key, value, headers } = message
    const events = {
      failed: (error: unknown) => {
        if (!(error instanceof RefusedRowsError)) throw error
      },
      ...{ taken: () => {}, stripped: () => {} },
    }
    const work = insertBatch(this.clickhouse.insert, fromMessage({ offset: '0', key: Buffer.from(key), value, headers }), events)
    const isDone = work.then(
      () => true,
      () => false,
    )
    await vi.advanceTimersByTimeAsync(60_000)
    if (await isDone) this.#drained++
  }

  get isDrained(): boolean {
    return this.#drained === this.spool.length
  }

  #remember(rows: Buffer, token: string): void {
    const text = rows.toString('latin1')
    expect(this.sent.get(token) ?? text).toBe(text)
    this.sent.set(token, text)
  }

  #takeRows(rows: Buffer, token: string): void {
    this.#remember(rows, token)
    if (rows.includes('poison')) throw new RefusedRowsError('ClickHouse', 469, 'violates a constraint')
    this.taken.set(token, rows)
  }

  #takeMessage(table: LogTable, rows: Buffer, token: string): void {
    this.#remember(rows, token)
    this.spool.push(toMessage(table, rows, token))
  }

  /** Offsets of all rows that ClickHouse has, by its deduplication. */
  rows(): number[] {
    return [...this.taken.values()].flatMap((rows) =>
      [0, ...findRowEnds(rows).slice(0, -1)].map((start) => Number(rows.readBigUInt64LE(start + lane.prefix.length))),
    )
  }
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ add: fc.integer({ min: 1, max: 8 }), isPoison: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ pass: fc.constantFrom(10, 200, 900, 3000) }) },
  { weight: 2, arbitrary: fc.record({ clickhouse: fc.constantFrom(...modes) }) },
  { weight: 2, arbitrary: fc.record({ kafka: fc.constantFrom(...modes) }) },
  { weight: 2, arbitrary: fc.constant({ drain: true } as const) },
  { weight: 1, arbitrary: fc.constant({ restart: true } as const) },
)

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('a token stands for the same bytes for ever, and every row that was acknowledged is in the log once, whatever is away when', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (schedule) => {
      const world = new World()
      for (const each of schedule) {
        if ('add' in each) world.add(each.add, each.isPoison)
        else if ('pass' in each) await world.pass(each.pass)
        else if ('clickhouse' in each) world.clickhouse.become(each.clickhouse)
        else if ('kafka' in each) world.kafka.become(each.kafka)
        else if ('drain' in each) await world.drain()
        else world.start()
      }
      world.clickhouse.become('UP')
      world.kafka.become('UP')
      for (let rounds = 0; world.log.busy || !world.isDrained; rounds++) {
        expect(rounds).toBeLessThan(500)
        await world.pass(1000)
        await world.drain()
      }
      const rows = world.rows()
      expect(new Set(rows).size).toBe(rows.length)
      expect([...world.acknowledged].filter((offset) => !rows.includes(offset))).toEqual([])
    }),
    { numRuns: 150 },
  )
})
