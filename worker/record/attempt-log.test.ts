import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { Logger } from '../../runtime/log.ts'
import { AttemptLog } from './attempt-log.ts'
import { encodeLane } from './encode-attempt.ts'
import { InsertQueue } from './insert-queue.ts'
import { sampleAttempt, sampleLane } from './sample-log.ts'

const silent = { info: () => {}, warn: () => {}, error: () => {} } as unknown as Logger
const lane = encodeLane(sampleLane)

interface Waiting {
  readonly token: string
  readonly bytes: string
  land(): void
  fail(): void
}

/** A log whose inserts land when the test says so. */
function open(options: { batchBytes?: number; batchesMax?: number; insertsMax?: number } = {}) {
  const waiting: Waiting[] = []
  const heard: number[] = []
  const { batchBytes = 4096, batchesMax = 4, insertsMax = 2 } = options
  const queue = new InsertQueue(
    (_table, rows, token) =>
      new Promise((resolve, reject) => {
        const bytes = rows.toString('latin1')
        waiting.push({ token, bytes, land: resolve, fail: () => reject(new Error('away')) })
      }),
    undefined,
    { bytesMax: batchesMax * batchBytes, insertsMax, spoolAfterMs: 0, now: () => 0 },
    silent,
    () => {},
  )
  const log = new AttemptLog<string>(queue, { instance: 'i', batchBytes })
  const owner = { acknowledged: (slot: number) => heard.push(slot) }
  const add = (slot: number, bodyBytes = 10): void =>
    log.add(lane, sampleAttempt({ offset: slot, requestBody: Buffer.alloc(bodyBytes, 'b') }), owner, slot, undefined)
  return { log, waiting, heard, add }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('the attempt log', () => {
  test('tells rows durable in the order in which they came, however inserts land', async () => {
    const { log, waiting, heard, add } = open()
    add(1)
    log.flush()
    add(2)
    log.flush()
    expect(waiting.map((each) => each.token)).toEqual(['i-a0', 'i-a1'])
    waiting[1]!.land()
    await settle()
    expect(heard).toEqual([])
    expect(log.busy).toBe(true)
    waiting[0]!.land()
    await settle()
    expect(heard).toEqual([1, 2])
    expect(log.busy).toBe(false)
  })

  test('is closed while as many batches as may be are not acknowledged, landed ones too', async () => {
    const { log, waiting, add } = open({ batchesMax: 2 })
    add(1)
    log.flush()
    add(2)
    log.flush()
    expect(log.open).toBe(false)
    waiting[1]!.land()
    await settle()
    expect(log.open).toBe(false)
    waiting[0]!.land()
    await settle()
    expect(log.open).toBe(true)
  })

  test('gathers rows while no insert can begin, and sends them as soon as one can', async () => {
    const { log, waiting, heard, add } = open()
    for (let slot = 0; slot < 5; slot++) {
      add(slot)
      log.flush()
    }
    // Two are on their way; the other rows wait together.
    expect(waiting).toHaveLength(2)
    waiting[0]!.land()
    await settle()
    expect(waiting).toHaveLength(3)
    waiting[1]!.land()
    waiting[2]!.land()
    await settle()
    expect(heard).toEqual([0, 1, 2, 3, 4])
    expect([log.busy, waiting.length]).toEqual([false, 3])
  })

  test('repeats an insert that failed with the same bytes and token, and gathers rows meanwhile', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    try {
      const { log, waiting, heard, add } = open({ insertsMax: 1 })
      add(0)
      log.flush()
      waiting[0]!.fail()
      await settle()
      for (let slot = 1; slot < 4; slot++) {
        add(slot)
        log.flush()
      }
      await vi.advanceTimersByTimeAsync(200)
      expect(waiting).toHaveLength(2)
      expect([waiting[1]!.bytes, waiting[1]!.token]).toEqual([waiting[0]!.bytes, waiting[0]!.token])
      waiting[1]!.land()
      await settle()
      waiting[2]!.land()
      await settle()
      expect(heard).toEqual([0, 1, 2, 3])
      expect(waiting).toHaveLength(3)
    } finally {
      vi.useRealTimers()
    }
  })

  test('takes a row that is larger than a batch', async () => {
    const { log, waiting, heard, add } = open({ batchBytes: 1024 })
    add(1)
    add(2, 50_000)
    add(3)
    for (let landed = 0; log.busy; ) {
      log.flush()
      if (landed < waiting.length) waiting[landed++]!.land()
      await settle()
    }
    expect(heard).toEqual([1, 2, 3])
    expect(waiting.find((each) => each.bytes.length > 50_000)).toBeDefined()
  })

  test('loses no row and keeps their order, whatever sizes come and whenever inserts land or fail', async () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ add: fc.integer({ min: 0, max: 3000 }) }),
        fc.constant({ flush: true } as const),
        fc.record({ land: fc.nat({ max: 3 }) }),
      ),
      { maxLength: 60 },
    )
    await fc.assert(
      fc.asyncProperty(steps, async (schedule) => {
        const { log, waiting, heard, add } = open()
        let added = 0
        let landed = 0
        for (const step of schedule) {
          if ('add' in step) {
            if (log.open) add(added++, step.add)
          } else if ('flush' in step) log.flush()
          else {
            waiting[landed + step.land]?.land()
            await settle()
            expect(heard).toEqual(heard.map((_, at) => at))
          }
        }
        for (let rounds = 0; log.busy; rounds++) {
          expect(rounds).toBeLessThan(500)
          log.flush()
          for (; landed < waiting.length; landed++) waiting[landed]!.land()
          await settle()
        }
        expect(heard).toEqual(Array.from({ length: added }, (_, at) => at))
        expect(new Set(waiting.map((each) => each.token)).size).toBe(waiting.length)
      }),
      { numRuns: 60 },
    )
  })
})
