import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KafkaRecord } from '../source/kafka-record.ts'
import { Window } from './window.ts'

const record = (offset: number): KafkaRecord => ({ offset }) as unknown as KafkaRecord

describe('a window', () => {
  test('gives what is ready in order, and what is put back first, however long it has been in use', () => {
    const step = fc.oneof(
      { arbitrary: fc.constantFrom('admit', 'silent', 'take', 'putBack'), weight: 4 },
      { arbitrary: fc.constant('settle'), weight: 3 },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), fc.infiniteStream(fc.nat()), (steps, choices) => {
        const window = new Window(0, 32, false)
        const fetched = { bytes: 1, held: 0 }
        const ready: number[] = []
        const taken: { slot: number; offset: number }[] = []
        let mayPutBack = false
        for (const [offset, each] of steps.entries()) {
          if ((each === 'admit' || each === 'silent') && window.tracker.full) continue
          if (each === 'admit') {
            window.admit(record(offset), fetched, offset, -1)
            ready.push(offset)
          } else if (each === 'silent') window.tracker.end(window.admitSilent(offset))
          else if (each === 'take') {
            const slot = window.takeReady()
            const next = ready.shift()
            expect(slot < 0).toBe(next === undefined)
            if (next === undefined) continue
            expect([window.recordOf(slot).offset, window.tracker.offsetOf(slot)]).toEqual([next, next])
            taken.push({ slot, offset: next })
            mayPutBack = true
          } else if (each === 'putBack' && mayPutBack) {
            const { slot, offset: last } = taken.pop()!
            window.putBack(slot)
            ready.unshift(last)
            mayPutBack = false
          } else if (each === 'settle' && taken.length > 0) {
            const [{ slot } = { slot: 0 }] = taken.splice(choices.next().value % taken.length, 1)
            window.forget(slot)
            window.tracker.end(slot)
            mayPutBack = false
          }
          expect(window.ready).toBe(ready.length)
          expect(window.heldBytes).toBe(ready.length + taken.length > 0 ? 1 : 0)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('that is empty now and then uses the first slot again and again, so that its columns stay short', () => {
    const window = new Window(0, 16_384, true)
    for (let offset = 0; offset < 1000; offset++) {
      window.admit(record(offset), { bytes: 1, held: 0 }, offset, 7)
      const slot = window.takeReady()
      expect(slot).toBe(0)
      window.forget(slot)
      window.tracker.end(slot)
      window.order!.leave(slot)
    }
  })
})
