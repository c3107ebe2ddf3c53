import { describe, expect, test } from 'vitest'
import { type KafkaRecord, recordBytes } from '../source/kafka-record.ts'
import { Intake } from './intake.ts'
import { Window } from './window.ts'

const record = (offset: number, bytes = 10): KafkaRecord => ({
  ...{ offset: String(offset), key: null, timestamp: '0', headers: {} },
  value: Buffer.alloc(bytes),
})

describe('an intake', () => {
  test('gives holes and records in their order, and counts what is left', () => {
    const intake = new Intake()
    const fetched = { bytes: 30, held: 0 }
    const hole = { first: 0, last: 4, kind: 'COMPACTED' } as const
    const end = { first: 8, last: 9, kind: 'TRANSACTION' } as const
    intake.push([
      { hole, records: [record(5), record(6)], fetched },
      { hole: undefined, records: [record(7)], fetched },
      { hole: end, records: [], fetched },
    ])
    expect([intake.records, intake.bytes]).toEqual([3, 3 * recordBytes(record(5))])
    const seen: unknown[] = []
    for (;;) {
      if (intake.hole !== undefined) {
        seen.push(intake.hole)
        intake.takeHole()
      } else if (intake.record !== undefined) {
        seen.push(Number(intake.record.offset))
        expect(intake.fetched).toBe(fetched)
        intake.shift()
      } else break
    }
    expect(seen).toEqual([hole, 5, 6, 7, end])
    expect([intake.records, intake.bytes]).toEqual([0, 0])
  })
})

describe('a window', () => {
  test('counts all that a fetch brought for as long as one record of it is on its way', () => {
    const window = new Window(0, 8, false)
    const [one, another] = [
      { bytes: 1000, held: 0 },
      { bytes: 50, held: 0 },
    ]
    window.admit(record(0), one, 0, -1)
    window.admit(record(1), one, 1, -1)
    window.admit(record(2), another, 2, -1)
    expect(window.heldBytes).toBe(1050)
    window.forget(window.takeReady())
    expect(window.heldBytes).toBe(1050)
    window.forget(window.takeReady())
    expect(window.heldBytes).toBe(50)
    // Its next record comes later.
    window.admit(record(3), one, 3, -1)
    expect(window.heldBytes).toBe(1050)
    window.forget(window.takeReady())
    window.forget(window.takeReady())
    expect(window.heldBytes).toBe(0)
    // What needs no request holds nothing, and may be forgotten, too.
    window.forget(window.admitSilent(4))
    expect([window.heldBytes, window.takeReady()]).toEqual([0, -1])
  })

  test('lets of each key one record go at a time', () => {
    const window = new Window(0, 8, true)
    const fetched = { bytes: 1, held: 0 }
    for (const [offset, key] of [7, 7, 8, -1].entries()) window.admit(record(offset), fetched, offset, key)
    expect([window.takeReady(), window.takeReady(), window.takeReady(), window.takeReady()]).toEqual([0, 2, 3, -1])
  })
})
