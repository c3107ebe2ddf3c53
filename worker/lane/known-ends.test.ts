import { describe, expect, test } from 'vitest'
import { type FoundEnd, KnownEnds } from './known-ends.ts'

const NO_ORDER = -1
const found = (ends: Record<number, FoundEnd | number>): Map<number, FoundEnd> =>
  new Map(
    Object.entries(ends).map(([offset, end]) => [Number(offset), typeof end === 'number' ? { epoch: end, sentEpoch: end } : end]),
  )

describe('what is known to have ended before it is read', () => {
  test('without order: what was told, and what the log found; a checkpoint may say both', () => {
    const known = new KnownEnds([{ first: 5, last: 7 }], found({ 8: 1, 11: 1 }), false)
    expect(known.below).toBe(12)
    expect([4, 5, 7, 8, 9, 11, 12].map((offset) => known.ended(offset, NO_ORDER))).toEqual([
      false,
      true,
      true,
      true,
      false,
      true,
      false,
    ])
    expect(known.unread(7)).toEqual([
      { first: 7, last: 8 },
      { first: 11, last: 11 },
    ])
    expect(known.unread(12)).toEqual([])
  })

  test('in order of keys: an end counts only while nothing earlier of its key is sent again, and the log is not told on', () => {
    const known = new KnownEnds([{ first: 5, last: 5 }], found({ 7: 1, 8: 1 }), true)
    const [a, b] = [1, 2]
    expect(known.unread(0)).toEqual([{ first: 5, last: 5 }])
    expect(known.ended(5, a)).toBe(true)
    expect(known.ended(6, b)).toBe(false)
    expect(known.ended(7, b)).toBe(false)
    expect(known.ended(8, a)).toBe(true)
  })

  test('in order of keys: something of the key that waits reopens it', () => {
    const known = new KnownEnds([], found({ 7: 1 }), true)
    known.reopen(1)
    expect(known.ended(7, 1)).toBe(false)
  })

  test('in order of keys: an end does not count when an earlier record was ended, or only tried, by a newer epoch', () => {
    const ends = { 5: { epoch: 1, sentEpoch: 2 }, 6: 1, 7: 2, 8: 2, 9: 1 }
    const known = new KnownEnds([], found(ends), true)
    expect([5, 6].map((offset) => known.ended(offset, 1))).toEqual([true, false])
    expect([7, 8, 9].map((offset) => known.ended(offset, 2))).toEqual([true, true, false])
    // And it is asked again before it comes in, when there was no room.
    expect(known.ended(9, 2)).toBe(false)
  })

  test('what this owner has ended before reading it counts, is told, and is forgotten once it is read', () => {
    const known = new KnownEnds([{ first: 5, last: 5 }], new Map(), false)
    known.add(6)
    known.add(20)
    expect(known.below).toBe(21)
    expect(known.unread(5)).toEqual([
      { first: 5, last: 6 },
      { first: 20, last: 20 },
    ])
    expect(known.ended(6, NO_ORDER)).toBe(true)
    known.forgetBelow(7)
    expect(known.unread(5)).toEqual([
      { first: 5, last: 5 },
      { first: 20, last: 20 },
    ])
    expect(known.ended(20, NO_ORDER)).toBe(true)
  })
})
