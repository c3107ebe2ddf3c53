import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RetryBatchState as State } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { readInbox } from '../../runtime/lane-keys.ts'
import { openTestLog, type TestLog } from '../attempts/test-log.ts'
import { Pace } from './pace.ts'
import { openTestBatches, type TestBatches } from './test-batches.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

async function duesOf(batches: TestBatches, partition: number): Promise<number[]> {
  const items = Object.values(await batches.inbox(partition)).flatMap(readInbox)
  return items.map(({ dueMs }) => dueMs ?? 0).sort((a, b) => a - b)
}

describe('records_per_second', () => {
  test('is kept over all lanes: each item has its time, one after the other', async () => {
    const batches = await openTestBatches(log, [0, 1, 2])
    for (const partition of [0, 1, 2]) await batches.fail(numbers(100), { partition })
    const { name } = await batches.create({ recordsPerSecond: 10 })
    const startMs = batches.nowMs
    const runner = batches.runner()
    const dues: number[] = []
    for (let second = 0; second < 8; second++) {
      await runner.step()
      for (const partition of [0, 1, 2]) {
        dues.push(...(await duesOf(batches, partition)))
        await batches.work(() => 'DELIVERED', partition)
      }
      batches.nowMs += 1000
    }
    dues.sort((a, b) => a - b)
    expect(dues.slice(0, 3)).toEqual([startMs, startMs + 100, startMs + 200])
    expect(dues.every((due, at) => at === 0 || due - dues[at - 1]! >= 100)).toBe(true)
    // Two seconds ahead of its time, and no further.
    expect(dues.length).toBe(91)
    expect(await batches.api.get(name)).toMatchObject({ state: State.ENQUEUING, remaining: 209n })
  })

  test('is not made up for when nobody led, nor is it passed when another one leads', async () => {
    const batches = await openTestBatches(log)
    await batches.fail(numbers(500))
    await batches.create({ recordsPerSecond: 10 })
    const one = batches.runner()
    await one.step()
    await batches.work(() => 'DELIVERED')
    batches.nowMs += 60_000
    await one.step()
    expect(await batches.inboxOffsets()).toHaveLength(21)
    await batches.work(() => 'DELIVERED')
    batches.nowMs += 1000
    await batches.runner().step()
    expect(await batches.inboxOffsets()).toHaveLength(21)
  })

  test('while nothing ends, ten seconds of it are handed over', async () => {
    const batches = await openTestBatches(log, [0, 1])
    await batches.fail(numbers(200))
    await batches.fail(numbers(200), { partition: 1 })
    await batches.create({ recordsPerSecond: 5 })
    const runner = batches.runner()
    for (let second = 0; second < 14; second++) {
      await runner.step()
      batches.nowMs += 1000
    }
    expect((await batches.inboxOffsets()).length + (await batches.inboxOffsets(1)).length).toBe(50)
  })

  test('holds for what a lane has lost, too', async () => {
    const batches = await openTestBatches(log)
    await batches.fail(numbers(15))
    const { name } = await batches.create({ recordsPerSecond: 10 })
    const runner = batches.runner()
    await runner.step()
    expect(await batches.api.get(name)).toMatchObject({ state: State.RUNNING })
    for (const offset of await batches.inboxOffsets()) await batches.drop(offset)
    batches.nowMs += 11_000
    await runner.step()
    expect(await batches.inboxOffsets()).toEqual([])
    await runner.step()
    const dues = await duesOf(batches, 0)
    expect(dues).toEqual(numbers(15).map((at) => batches.nowMs + at * 100))
  })
})

test('a pace never gives two times that are closer than it says, whenever turns come', () => {
  const turn = fc.record({ waitMs: fc.nat(15_000), restMs: fc.nat(10_000), pending: fc.nat(50), waiting: fc.nat(50) })
  fc.assert(
    fc.property(fc.double({ min: 0.01, max: 500, noNaN: true }), fc.array(turn, { maxLength: 30 }), (perSecond, turns) => {
      let nowMs = 1_000_000
      const pace = new Pace(perSecond, nowMs)
      let last = Number.NEGATIVE_INFINITY
      for (const { waitMs, restMs, pending, waiting } of turns) {
        nowMs += waitMs
        pace.begin(nowMs, restMs)
        const share = pace.share([{ partition: 0, pending: pending + waiting, waiting }]).get(0) ?? 0
        expect(share).toBeLessThanOrEqual(waiting)
        for (let count = 0; count < share; count++) {
          const due = pace.next()
          expect(due).toBeGreaterThanOrEqual(nowMs)
          expect(due).toBeLessThanOrEqual(nowMs + 2000 + restMs + 1)
          expect(due - last).toBeGreaterThan(1000 / perSecond - 2)
          last = due
        }
      }
    }),
  )
})
