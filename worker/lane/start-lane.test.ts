import { describe, expect, test } from 'vitest'
import type { ParkedEntry } from '../../runtime/lane-keys.ts'
import type { LoggedEnd, LogKnowledge } from './look-up.ts'
import { startLane } from './start-lane.ts'
import { baseOfGroup, type TakeoverBase } from './takeover.ts'

const parked = (over: Partial<ParkedEntry> = {}): ParkedEntry => ({
  ...{ state: 'P', keyHash: undefined, attempts: 1, unpaid: 0, firstMs: 1, lastMs: 1, dueMs: 500, round: 0 },
  ...{ bytes: 10, where: 'R', batch: undefined, stale: false, newKey: false },
  ...over,
})

const base = (entries: Record<number, ParkedEntry>, over: Partial<TakeoverBase> = {}): TakeoverBase => ({
  ...{ cursor: 10, ended: [], savedMs: 0, writer: 1, credit: undefined, clean: false },
  parked: new Map(Object.entries(entries).map(([offset, entry]) => [Number(offset), entry])),
  ...over,
})

const end = (over: Partial<LoggedEnd> = {}): LoggedEnd => ({ round: 0, epoch: 1, sentEpoch: 1, ...over })
const log = (ended: Record<number, LoggedEnd>, attempts: LogKnowledge['attempts'] = new Map()): LogKnowledge => ({
  ended: new Map(Object.entries(ended).map(([offset, each]) => [Number(offset), each])),
  attempts,
})

const offsets = (start: ReturnType<typeof startLane>): number[] => [...start.parking.entries()].map((each) => each.offset)

describe('what a new owner takes for parked', () => {
  test('is what was stored, less what the log has ended; Redis is to forget that', () => {
    const start = startLane(base({ 3: parked(), 5: parked(), 12: parked() }), log({ 3: end(), 12: end() }), 'UNORDERED', 100, 900)
    expect(offsets(start)).toEqual([5])
    expect([...start.parking.removals]).toEqual([3, 12])
    expect(start.known.ended(12, -1)).toBe(true)
    expect(start.parking.takeDue(500)?.offset).toBe(5)
  })

  test('is not ended by a row of an earlier round', () => {
    const entries = { 3: parked({ round: 1, batch: 'b' }) }
    expect(offsets(startLane(base(entries), log({ 3: end() }), 'UNORDERED', 100, 900))).toEqual([3])
    expect(offsets(startLane(base(entries), log({ 3: end({ round: 1 }) }), 'UNORDERED', 100, 900))).toEqual([])
  })

  test('goes on counting from the highest number that was used, and a request that was on its way counts', () => {
    const tries = new Map([[3, { round: 0, attempt: 4 }]])
    const start = startLane(base({ 3: parked(), 4: parked({ state: 'S', dueMs: 0 }) }), log({}, tries), 'UNORDERED', 100, 900)
    expect(start.parking.get(3)?.attempts).toBe(4)
    expect(start.parking.get(4)).toMatchObject({ state: 'P', attempts: 1 })
    expect(start.parking.takeDue(0)?.offset).toBe(4)
  })

  test('is due at once when what it was BEHIND has ended', () => {
    const entries = { 3: parked({ keyHash: 7 }), 4: parked({ keyHash: 7, state: 'B', dueMs: 0 }) }
    const start = startLane(base(entries), log({ 3: end() }), 'KEY', 100, 900)
    expect(start.parking.takeDue(900)?.offset).toBe(4)
  })

  test('in order of keys is not ended while an earlier one of its key is open, or was sent after it', () => {
    const entries = { 3: parked({ keyHash: 7 }), 4: parked({ keyHash: 7, state: 'B' }), 5: parked({ keyHash: 8 }) }
    expect(offsets(startLane(base(entries), log({ 4: end(), 5: end() }), 'KEY', 100, 900))).toEqual([3, 4])
    const overtaken = log({ 3: end({ sentEpoch: 2 }), 4: end() })
    expect(offsets(startLane(base(entries), overtaken, 'KEY', 100, 900))).toEqual([4, 5])
  })

  test('in order of keys above the cursor is decided when everything before it has been read', () => {
    const entries = { 12: parked({ keyHash: 7, state: 'B', dueMs: 0 }) }
    const start = startLane(base(entries), log({ 12: end() }), 'KEY', 100, 900)
    expect(offsets(start)).toEqual([12])
    // 11 is of the same key, and its row was lost with its owner.
    expect(start.known.ended(11, 7)).toBe(false)
    expect(start.known.ended(12, 7)).toBe(false)
  })

  test('in order of keys reopens its key for what comes above the cursor', () => {
    const start = startLane(base({ 3: parked({ keyHash: 7 }) }), log({ 12: end(), 13: end() }), 'KEY', 100, 900)
    expect(start.known.ended(12, 7)).toBe(false)
    expect(start.known.ended(13, 8)).toBe(true)
  })
})

describe('what else a new owner knows', () => {
  test('without the log: what was told above the cursor', () => {
    const start = startLane(base({}, { ended: [{ first: 12, last: 13 }] }), undefined, 'KEY', 100, 900)
    expect([11, 12, 13, 14].map((offset) => start.known.ended(offset, 7 + offset))).toEqual([false, true, true, false])
    expect(start.known.unread(10)).toEqual([{ first: 12, last: 13 }])
    expect(start).toMatchObject({ cursor: 10, credit: 100 })
  })

  test('from Kafka, when Redis has lost the lane: what lies between what was open', () => {
    const group = baseOfGroup(4, '1;12;4-5,8-8')
    expect(group).toMatchObject({ cursor: 4, clean: false, writer: 0 })
    expect(group.ended).toEqual([
      { first: 6, last: 7 },
      { first: 9, last: 11 },
    ])
    // Somebody else's metadata: the offset alone counts.
    expect(baseOfGroup(4, 'consumer-7').ended).toEqual([])
  })
})
