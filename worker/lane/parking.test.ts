import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type NewParked, newParked, type Parked } from './parked.ts'
import { Parking } from './parking.ts'

const entry = (offset: number, over: Partial<NewParked> = {}): Parked =>
  newParked({
    ...{
      offset,
      state: 'P',
      keyHash: undefined,
      attempts: 1,
      unpaid: 0,
      firstMs: 1,
      lastMs: 1,
      dueMs: 100,
      round: 0,
      settled: true,
    },
    ...over,
  })

describe('what is parked', () => {
  test('is due when its time has come, and not before its row is durable', () => {
    const parking = new Parking()
    const [one, two] = [entry(1, { dueMs: 100, settled: false }), entry(2, { dueMs: 200 })]
    parking.add(one)
    parking.add(two)
    expect(parking.nextDueMs()).toBe(200)
    expect(parking.takeDue(150)).toBeUndefined()
    parking.settle(one)
    expect(parking.nextDueMs()).toBe(100)
    expect(parking.takeDue(150)).toBe(one)
    expect(parking.takeDue(150)).toBeUndefined()
    parking.change(one, 'P', 300)
    expect([parking.takeDue(1000), parking.takeDue(1000), parking.takeDue(1000)]).toEqual([two, one, undefined])
  })

  test('waits behind the earlier ones of its key, one after the other', () => {
    const parking = new Parking()
    const [a, b, c] = [5, 6, 7].map((offset) => entry(offset, { keyHash: 9 }))
    for (const each of [a, b, c]) parking.add(each!)
    expect([a, b, c].map((each) => each!.state)).toEqual(['P', 'B', 'B'])
    expect(parking.takeDue(1000)).toBe(a)
    expect(parking.takeDue(1000)).toBeUndefined()
    parking.end(a!, 1000)
    expect(parking.takeDue(1000)).toBe(b)
    expect(parking.hasKey(9)).toBe(true)
    parking.end(b!, 1000)
    parking.end(parking.takeDue(1000)!, 1000)
    expect(parking.hasKey(9)).toBe(false)
  })

  test('the first of a key is never BEHIND, whatever a dead owner wrote', () => {
    const parking = new Parking()
    const alone = entry(6, { keyHash: 9, state: 'B', dueMs: 0 })
    parking.add(alone)
    expect(parking.takeDue(1)).toBe(alone)
  })

  test('an earlier record of the key goes in front, unless one is on its way', () => {
    const parking = new Parking()
    const [first, later] = [entry(5, { keyHash: 9, state: 'B', dueMs: 0 }), entry(8, { keyHash: 9 })]
    parking.add(later)
    expect(parking.wouldBeFirst(9, 5)).toBe(true)
    parking.add(first)
    expect([first.state, later.state]).toEqual(['P', 'B'])
    expect(parking.takeDue(1000)).toBe(first)
    expect(parking.wouldBeFirst(9, 3)).toBe(false)
    const opened = entry(3, { keyHash: 9, round: 1 })
    parking.add(opened)
    expect(opened.state).toBe('B')
    parking.end(first, 1000)
    expect(parking.takeDue(1000)).toBe(opened)
  })

  test('that has ended is forgotten by Redis only if Redis has it, also when a checkpoint brings it while it goes', () => {
    const parking = new Parking()
    const [stored, going, never] = [entry(1, { stored: true }), entry(2), entry(3)]
    for (const each of [stored, going, never]) {
      parking.add(each)
      parking.end(each, 0)
      parking.remove(each)
    }
    expect([...parking.removals]).toEqual([1])
    // A checkpoint that had it was on its way.
    parking.storedAs(going, 1)
    expect([...parking.removals]).toEqual([1, 2])
    parking.forgotten(1)
    expect([...parking.removals]).toEqual([2])
  })

  test('that is opened again before Redis has forgotten it is not forgotten', () => {
    const parking = new Parking()
    const old = entry(1, { stored: true })
    parking.add(old)
    parking.end(old, 0)
    parking.remove(old)
    const opened = entry(1, { round: 1 })
    parking.add(opened)
    expect([...parking.removals]).toEqual([])
    // The old one's checkpoint comes late.
    parking.storedAs(old, 1)
    expect([...parking.removals]).toEqual([])
    expect(parking.get(1)).toBe(opened)
    expect(parking.dirty.has(opened)).toBe(true)
  })

  test('that is opened again and taken back before Redis has it is forgotten by Redis, which still has the old one', () => {
    const parking = new Parking()
    const [old, going] = [entry(1, { stored: true }), entry(2)]
    for (const each of [old, going]) {
      parking.add(each)
      parking.end(each, 0)
      parking.remove(each)
    }
    const opened = [entry(1, { round: 1 }), entry(2, { round: 1 })]
    for (const each of opened) parking.add(each)
    // The checkpoint that had it was on its way.
    parking.storedAs(going, 1)
    for (const each of opened) {
      parking.end(each, 0)
      parking.remove(each)
    }
    expect([...parking.removals]).toEqual([1, 2])
  })

  test('that changes while a checkpoint is on its way is written again', () => {
    const parking = new Parking()
    const one = entry(1)
    parking.add(one)
    const { generation } = one
    parking.takeDue(1000)
    parking.change(one, 'X', 2000)
    parking.storedAs(one, generation)
    expect(one.stored).toBe(true)
    expect(parking.dirty.has(one)).toBe(true)
    parking.storedAs(one, one.generation)
    expect(parking.dirty.has(one)).toBe(false)
  })

  test('keeps exact counts of bytes and of what is exhausted, under any steps', () => {
    const steps = fc.array(
      fc.record({
        pick: fc.nat(),
        offset: fc.nat({ max: 12 }),
        key: fc.constantFrom(undefined, 1, 2),
        where: fc.constantFrom<'R' | 'K'>('R', 'K'),
      }),
    )
    fc.assert(
      fc.property(steps, (all) => {
        const parking = new Parking()
        const here = (): Parked[] => [...parking.entries()]
        for (const { pick, offset, key, where } of all) {
          const chosen = here()[pick % Math.max(1, here().length)]
          const action = pick % 7
          if (action < 2 && parking.get(offset) === undefined)
            parking.add(
              entry(offset, {
                keyHash: key,
                where,
                bytes: 10 + offset,
                packed: Buffer.alloc(10),
                state: pick % 3 === 0 ? 'X' : 'P',
                settled: pick % 2 === 0,
              }),
            )
          else if (action === 2) parking.takeDue(10_000)
          else if (chosen === undefined) continue
          else if (action === 3 && chosen.sending && !chosen.ended) parking.change(chosen, pick % 2 === 0 ? 'X' : 'P', pick % 500)
          else if (action === 4 && chosen.sending && !chosen.ended) parking.end(chosen, pick % 500)
          else if (action === 5 && chosen.settled) parking.storedAs(chosen, chosen.generation)
          else if (action === 5) parking.settle(chosen)
          else if (action === 6 && chosen.ended) parking.remove(chosen)
          const sum = (of: (each: Parked) => number): number => here().reduce((total, each) => total + of(each), 0)
          expect(parking.redisBytes).toBe(sum((each) => (each.where === 'R' ? each.bytes : 0)))
          expect(parking.unstoredBytes).toBe(sum((each) => (each.where === 'R' && !each.stored ? each.bytes : 0)))
          expect(parking.storableBytes).toBe(sum((each) => (each.where === 'R' && !each.stored && each.settled ? each.bytes : 0)))
          expect(parking.exhausted).toBe(here().filter((each) => each.state === 'X' && !each.ended).length)
          for (const hash of [1, 2]) {
            const waiting = here().filter((each) => each.keyHash === hash && !each.ended)
            expect(parking.hasKey(hash)).toBe(waiting.length > 0)
            expect(waiting.filter((each) => each.state !== 'B')).toHaveLength(Math.min(1, waiting.length))
          }
        }
      }),
    )
  })
})
