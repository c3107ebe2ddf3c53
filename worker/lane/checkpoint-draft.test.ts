import { describe, expect, test } from 'vitest'
import { readParked } from '../../runtime/lane-keys.ts'
import { draftCheckpoint, type SavedPosition } from './checkpoint-draft.ts'
import { groupPosition } from './floor.ts'
import { KnownEnds } from './known-ends.ts'
import { type NewParked, newParked, type Parked } from './parked.ts'
import { Parking } from './parking.ts'
import { RowBacklog } from './row-backlog.ts'
import { Window } from './window.ts'

const NOTHING: SavedPosition = { cursor: 0, ended: '' }
const plain = { clean: false, forced: false }

/** A lane of which every record has been parked, `bytes` each, and the window is passed. */
function parkedLane(count: number, bytes: number, over: Partial<NewParked> = {}) {
  const parking = new Parking()
  const window = new Window(0, 2 ** Math.ceil(Math.log2(count + 1)), false)
  const entries: Parked[] = []
  for (let offset = 0; offset < count; offset++) {
    const slot = window.admitSilent(offset)
    const times = { firstMs: 1, lastMs: 2, dueMs: 3, attempts: 1, unpaid: 0 }
    const entry = newParked({
      ...{
        offset,
        state: 'P',
        keyHash: undefined,
        round: 0,
        settled: true,
        slot,
        bytes,
        where: 'R',
        packed: Buffer.alloc(bytes, offset),
      },
      ...times,
      ...over,
    })
    entries.push(entry)
    parking.add(entry)
    window.tracker.park(slot)
  }
  return {
    parking,
    window,
    known: new KnownEnds([], new Map(), false),
    credit: 5,
    backlog: new RowBacklog(),
    policyId: 'a',
    entries,
  }
}

describe('a checkpoint', () => {
  test('tells the next owner to ask the log from before the first row that is not durable', () => {
    const lane = parkedLane(1, 100)
    const savedMs = (nowMs: number): number =>
      draftCheckpoint(lane, NOTHING, [], { clean: false, forced: true }, nowMs)!.checkpoint.savedMs
    expect(savedMs(1000)).toBe(1000)
    lane.backlog.add()
    expect(savedMs(2000)).toBe(1000)
    // The log was away for an hour.
    expect(savedMs(3_600_000)).toBe(1000)
    lane.backlog.remove()
    expect(savedMs(3_600_001)).toBe(3_600_001)
  })

  test('says position and everything that waits, with its bytes', () => {
    const lane = parkedLane(3, 100)
    const draft = draftCheckpoint(lane, NOTHING, ['7'], plain, 99)!
    expect(draft.whole).toBe(true)
    expect(draft.checkpoint).toMatchObject({
      cursor: 3,
      ended: '',
      savedMs: 99,
      clean: false,
      credit: 5,
      policyId: 'a',
      removed: [],
      taken: ['7'],
    })
    expect(draft.checkpoint.parked.map((each) => [each.offset, each.bytes?.length])).toEqual([
      [0, 100],
      [1, 100],
      [2, 100],
    ])
    expect(readParked(draft.checkpoint.parked[1]!.entry)).toMatchObject({ state: 'P', attempts: 1, where: 'R', bytes: 100 })
  })

  test('that cannot say everything leaves the position where it was, until the last of them', () => {
    const lane = parkedLane(20, 200_000)
    let saved = NOTHING
    const stored = new Set<number>()
    for (let rounds = 1; ; rounds++) {
      const draft = draftCheckpoint(lane, saved, ['7'], { clean: true, forced: false }, 0)!
      const bytes = draft.checkpoint.parked.reduce((sum, each) => sum + (each.bytes?.length ?? 0), 0)
      expect(bytes).toBeLessThanOrEqual(1 << 20)
      for (const { offset } of draft.checkpoint.parked) stored.add(offset)
      for (let offset = 0; offset < draft.checkpoint.cursor; offset++) expect(stored.has(offset)).toBe(true)
      for (const { entry, generation } of draft.included) lane.parking.storedAs(entry, generation)
      saved = draft.checkpoint
      if (draft.whole) {
        expect(rounds).toBe(4)
        expect(draft.checkpoint).toMatchObject({ cursor: 20, clean: true, taken: ['7'] })
        break
      }
      // Neither clean, nor anything taken from the inbox, before all that it opened is there.
      expect(draft.checkpoint).toMatchObject({ cursor: 0, ended: '', clean: false, taken: [] })
    }
    expect(lane.parking.unstoredBytes).toBe(0)
  })

  test('is bounded in entries, too, and takes the lowest offsets first', () => {
    const lane = parkedLane(4500, 10)
    const draft = draftCheckpoint(lane, NOTHING, [], plain, 0)!
    expect(draft.checkpoint.parked.map((each) => each.offset)).toEqual(Array.from({ length: 2000 }, (_, at) => at))
    expect(draft.whole).toBe(false)
  })

  test('carries a record that is larger than it may be alone', () => {
    const lane = parkedLane(2, 3 << 20)
    expect(draftCheckpoint(lane, NOTHING, [], plain, 0)!.included).toHaveLength(1)
  })

  test('says nothing of what is not settled, and nothing when Redis knows it all', () => {
    const lane = parkedLane(1, 10, { settled: false })
    expect(draftCheckpoint(lane, { cursor: 1, ended: '' }, [], plain, 0)).toBeUndefined()
    expect(draftCheckpoint(lane, { cursor: 1, ended: '' }, [], { clean: false, forced: true }, 0)?.checkpoint.parked).toEqual([])
  })

  test('gives bytes once: a change of what Redis has is a line of text', () => {
    const lane = parkedLane(1, 10)
    const [entry] = lane.entries
    lane.parking.storedAs(entry!, entry!.generation)
    expect(entry!.packed).toBeUndefined()
    lane.parking.takeDue(1000)
    lane.parking.change(entry!, 'X', 500)
    const [written] = draftCheckpoint(lane, { cursor: 1, ended: '' }, [], plain, 0)!.checkpoint.parked
    expect(written!.bytes).toBeUndefined()
    expect(readParked(written!.entry)).toMatchObject({ state: 'X', dueMs: 500 })
  })

  test('tells the ends above the cursor, and those that were told before and are not read yet', () => {
    const window = new Window(0, 8, false)
    for (let offset = 0; offset < 4; offset++) window.admitSilent(offset)
    window.tracker.end(1)
    window.tracker.end(2)
    const known = new KnownEnds([{ first: 2, last: 9 }], new Map(), false)
    const draft = draftCheckpoint(
      { parking: new Parking(), window, known, credit: 0, backlog: new RowBacklog(), policyId: 'a' },
      NOTHING,
      [],
      plain,
      0,
    )!
    expect(draft.checkpoint).toMatchObject({ cursor: 0, ended: '1-2,4-9' })
  })
})

describe('a group commit', () => {
  test('says the floor, and what is open below the cursor', () => {
    const lane = parkedLane(6, 1)
    for (const at of [0, 3, 4]) {
      lane.parking.end(lane.entries[at]!, 0)
      lane.parking.remove(lane.entries[at]!)
    }
    expect(groupPosition(lane, 4096)).toEqual({ floor: 1, metadata: '1;6;1-2,5-5' })
  })

  test('tells a lower cursor where the open ones do not fit', () => {
    const lane = parkedLane(3000, 1)
    for (const entry of lane.entries.filter((each) => each.offset % 2 === 0)) {
      lane.parking.end(entry, 0)
      lane.parking.remove(entry)
    }
    const { floor, metadata } = groupPosition(lane, 200)
    expect(floor).toBe(1)
    expect(metadata.length).toBeLessThanOrEqual(200)
    const [, cursor, runs] = metadata.split(';')
    const last = Number(runs!.split(',').at(-1)!.split('-')[1])
    expect(Number(cursor)).toBe(last + 2)
  })

  test('does not count later rounds: their first life has ended', () => {
    const lane = parkedLane(3, 1, { round: 1 })
    expect(groupPosition(lane, 4096)).toEqual({ floor: 3, metadata: '1;3;' })
  })
})
