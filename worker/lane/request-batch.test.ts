import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchItem, RequestBatch } from './request-batch.ts'

const plan = { recordsMax: 4, bytesMax: 40, waitMs: 0, isNdjson: false, hasEnvelope: false }

function item(offset: number, body = '1', together = 0): BatchItem {
  const made = new BatchItem()
  made.row.offset = offset
  made.row.requestId = 100 + offset
  made.body = Buffer.from(body)
  made.together = together
  return made
}

/** Splits records into batches as the batcher does. */
function batchesOf(items: readonly BatchItem[]): RequestBatch[] {
  const batches: RequestBatch[] = []
  for (const each of items) {
    const last = batches.at(-1)
    if (last?.hasRoom(each.together) && last.fits(each)) last.add(each)
    else {
      batches.push(new RequestBatch(plan))
      batches.at(-1)!.add(each)
    }
  }
  return batches
}

test('no batch is larger than it may be, but for one record that is longer by itself; nothing is left out', () => {
  const records = fc.array(fc.tuple(fc.nat({ max: 60 }), fc.nat({ max: 5 })), { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(records, (given) => {
      const batches = batchesOf(given.map(([length, together], at) => item(at, '1'.repeat(length + 1), together)))
      for (const batch of batches) {
        expect(batch.count).toBeLessThanOrEqual(plan.recordsMax)
        for (const { together } of batch.items) if (together > 0) expect(batch.count).toBeLessThanOrEqual(together)
        if (batch.count > 1) expect(batch.join().length).toBeLessThanOrEqual(plan.bytesMax)
      }
      expect(batches.flatMap(({ items }) => items.map(({ row }) => row.offset))).toEqual(given.map((_, at) => at))
    }),
  )
})

test('the rows of a batch share the first one’s request, and know their places', () => {
  const [batch] = batchesOf([item(7), item(8), item(9)])
  expect(batch!.items.map(({ row }) => [row.requestId, row.item])).toEqual([
    [107, 0],
    [107, 1],
    [107, 2],
  ])
})

test('the same records in the same order have one digest, all others have others', () => {
  const digest = (...offsets: number[]): string => batchesOf(offsets.map((offset) => item(offset)))[0]!.digest()
  expect(digest(1, 2, 3)).toBe(digest(1, 2, 3))
  const digests = [digest(1, 2, 3), digest(1, 3, 2), digest(1, 2), digest(1, 2, 3, 4), digest(2, 3), digest(2 ** 40)]
  expect(new Set(digests).size).toBe(digests.length)
  expect(batchesOf([item(5), item(3), item(9)])[0]!.range).toBe('3-9')
})

/** What becomes of refused batches: each is sent again in halves. */
test('poison records are found by halving, each alone, and all others are taken', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.uniqueArray(fc.nat({ max: 199 }), { maxLength: 6 }), (count, bad) => {
      const poison = new Set(bad.filter((each) => each < count))
      let waiting = Array.from({ length: count }, (_, offset) => item(offset))
      const refused: number[] = []
      const taken: number[] = []
      const split = { ...plan, recordsMax: 200, bytesMax: 1 << 20 }
      for (let rounds = 0; waiting.length > 0; rounds++) {
        expect(rounds).toBeLessThanOrEqual(Math.ceil(Math.log2(count)) + 1)
        const next: BatchItem[] = []
        let batch = new RequestBatch(split)
        const send = (): void => {
          const { items } = batch
          if (!items.some(({ row }) => poison.has(row.offset))) taken.push(...items.map(({ row }) => row.offset))
          else if (items.length === 1) refused.push(items[0]!.row.offset)
          else for (const each of items) next.push(item(each.row.offset, '1', items.length >> 1))
          batch = new RequestBatch(split)
        }
        for (const each of waiting) {
          if (!batch.hasRoom(each.together)) send()
          batch.add(each)
        }
        send()
        waiting = next.sort((a, b) => a.row.offset - b.row.offset)
      }
      expect(refused.sort((a, b) => a - b)).toEqual([...poison].sort((a, b) => a - b))
      expect(taken).toHaveLength(count - poison.size)
    }),
  )
})
