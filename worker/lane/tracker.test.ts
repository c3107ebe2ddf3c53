import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Tracker } from './tracker.ts'

describe('a tracker', () => {
  test('its cursor passes exactly what is settled, and its runs are what has ended above', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('admit' as const), gap: fc.nat({ max: 3 }) }),
      fc.record({ do: fc.constantFrom('end' as const, 'park' as const), pick: fc.nat() }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.nat({ max: 100 }), (steps, start) => {
        const tracker = new Tracker(start, 16)
        const records: { offset: number; slot: number; state: 'OPEN' | 'ENDED' | 'PARKED' }[] = []
        let next = start
        for (const each of steps) {
          const inWindow = records.filter((record) => record.offset >= tracker.cursor)
          if (each.do === 'admit') {
            expect(tracker.full).toBe(inWindow.length === 16)
            if (tracker.full) continue
            const offset = next + each.gap
            records.push({ offset, slot: tracker.admit(offset), state: 'OPEN' })
            next = offset + 1
          } else {
            const record = inWindow[each.pick % Math.max(1, inWindow.length)]
            if (record === undefined || record.state === 'ENDED') continue
            record.state = each.do === 'end' ? 'ENDED' : 'PARKED'
            tracker[each.do](record.slot)
          }
          const firstOpen = records.find((record) => record.state === 'OPEN')
          const settled = records.filter((record) => firstOpen === undefined || record.offset < firstOpen.offset)
          expect(tracker.cursor).toBe(settled.length === 0 ? start : settled.at(-1)!.offset + 1)
          expect(tracker.next).toBe(next)
          expect(tracker.tailSlot).toBe(firstOpen?.slot ?? -1)
          const above = records.filter((record) => record.offset >= tracker.cursor)
          expect(tracker.size).toBe(above.length)
          const ended = new Set(
            tracker.endedRuns().flatMap((run) => above.filter(({ offset }) => offset >= run.first && offset <= run.last)),
          )
          expect([...ended]).toEqual(above.filter((record) => record.state === 'ENDED'))
          for (const record of records) expect(tracker.holds(record.slot, record.offset)).toBe(record.offset >= tracker.cursor)
        }
      }),
    )
  })

  test('takes only a power of two for its window', () => {
    expect(() => new Tracker(0, 12)).toThrow(RangeError)
  })
})
