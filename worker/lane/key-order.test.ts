import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hashKey, KeyOrder } from './key-order.ts'
import { Tracker } from './tracker.ts'

describe('a hash of a key', () => {
  test('is a whole number from 1 to 2^53, the same for the same bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (key) => {
        const hash = hashKey(key)
        expect(Number.isSafeInteger(hash) && hash > 0).toBe(true)
        expect(hashKey(Uint8Array.from(key))).toBe(hash)
      }),
    )
  })

  test('differs for a hundred thousand keys', () => {
    const hashes = new Set(Array.from({ length: 100_000 }, (_, at) => hashKey(Buffer.from(`customer-${at}`))))
    expect(hashes.size).toBe(100_000)
  })
})

describe('key order', () => {
  test('lets of each key one record go, in order, whatever keys meet in a bucket', () => {
    const keys = fc.array(fc.nat({ max: 40 }), { maxLength: 64 })
    fc.assert(
      fc.property(keys, fc.infiniteStream(fc.nat()), (hashes, choices) => {
        const order = new KeyOrder(64)
        const going: number[] = []
        const gone: number[] = []
        for (const [slot, hash] of hashes.entries()) if (order.enter(slot, hash + 1)) going.push(slot)
        while (going.length > 0) {
          const keysGoing = going.map((slot) => hashes[slot]!)
          expect(new Set(keysGoing).size).toBe(going.length)
          for (const hash of hashes) expect(order.isGoing(hash + 1)).toBe(keysGoing.includes(hash))
          const [slot] = going.splice(choices.next().value % going.length, 1)
          gone.push(slot!)
          const follower = order.leave(slot!)
          if (follower >= 0) going.push(follower)
        }
        // Everything went, and of each key in its order.
        expect([...gone].sort((a, b) => a - b)).toEqual(hashes.map((_, slot) => slot))
        for (const hash of hashes) {
          const mine = gone.filter((slot) => hashes[slot] === hash)
          expect(mine).toEqual([...mine].sort((a, b) => a - b))
        }
      }),
    )
  })

  test('counts an end only when every earlier record of its key has ended', () => {
    const order = new KeyOrder(8)
    const tracker = new Tracker(0, 8)
    const hashes = [1, 2, 1, 0, 2, 1]
    for (const [offset, hash] of hashes.entries()) {
      const slot = tracker.admit(offset)
      if (hash === 0) order.bypass(slot)
      else order.remember(slot, hash)
    }
    const runs = (): string =>
      tracker
        .endedRuns(order.prefixCounter())
        .map((run) => `${run.first}-${run.last}`)
        .join(',')
    for (const slot of [2, 3, 4, 5]) tracker.end(slot)
    expect(runs()).toBe('3-3')
    tracker.end(1)
    expect(runs()).toBe('1-1,3-4')
    tracker.park(0)
    // What is parked has not ended, though the cursor has passed it.
    expect(tracker.cursor).toBe(6)
  })
})
