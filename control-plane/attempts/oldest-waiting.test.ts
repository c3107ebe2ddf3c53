import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { oldestWaitingMs } from './oldest-waiting.ts'

const now = 2_000_000_000_000

/** A topic whose records have these ages, oldest first. */
const topicOf = (ages: readonly (readonly number[])[]) => {
  let asked = 0
  const offsetsAt = async (timeMs: number) => {
    asked++
    const found = ages.map((each, partition) => [partition, each.findIndex((age) => now - age >= timeMs)] as const)
    return new Map(found.filter(([, offset]) => offset >= 0))
  }
  return { offsetsAt, asked: () => asked }
}

const agesOf = fc
  .array(fc.integer({ min: 0, max: 300 * 86_400_000 }), { maxLength: 20 })
  .map((ages) => ages.sort((a, b) => b - a))

test('the age of the oldest record that waits is found within a tenth, with few questions', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(agesOf, fc.nat(20)), { minLength: 1, maxLength: 4 }), async (partitions) => {
      const { offsetsAt, asked } = topicOf(partitions.map(([ages]) => ages))
      const lanes = partitions.map(([ages, cursor], partition) => ({
        partition,
        cursor: Math.min(cursor, ages.length),
        end: ages.length,
      }))
      const waiting = partitions.flatMap(([ages], partition) => ages.slice(lanes[partition]!.cursor))
      const found = await oldestWaitingMs(lanes, offsetsAt, now)
      const [oldest] = waiting.sort((a, b) => b - a)
      if (oldest === undefined) {
        expect(found).toBeUndefined()
        return
      }
      expect(found).toBeGreaterThanOrEqual(oldest)
      expect(found! - oldest).toBeLessThanOrEqual(Math.max(1000, oldest * 0.11))
      expect(asked()).toBeLessThan(30)
    }),
  )
})
