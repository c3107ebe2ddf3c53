import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { describe, expect, test } from 'vitest'
import { PartitionOffsetsSchema, SourceSchema, StartPosition } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { type StartRule, startOffset, startRule } from './start-offsets.ts'

const ends = { startOffsets: new Map([[0, 100]]), endOffsets: new Map([[0, 200]]) }
const offsetBy = (rule: StartRule, atTime: [number, number][] = []): number => startOffset(rule, 0, ends, new Map(atTime))

describe('startRule', () => {
  test('begins with the oldest record where nothing is said', () => {
    expect(startRule(create(SourceSchema))).toEqual({ kind: 'EARLIEST' })
    const position = { case: 'position', value: StartPosition.EARLIEST } as const
    expect(startRule(create(SourceSchema, { start: position }))).toEqual({ kind: 'EARLIEST' })
  })

  test('reads the end, a time and offsets', () => {
    const of = (start: NonNullable<Parameters<typeof create<typeof SourceSchema>>[1]>['start']): StartRule =>
      startRule(create(SourceSchema, { start: start! }))
    expect(of({ case: 'position', value: StartPosition.LATEST })).toEqual({ kind: 'LATEST' })
    expect(of({ case: 'time', value: timestampFromMs(5000) })).toEqual({ kind: 'TIME', timeMs: 5000 })
    const offsets = create(PartitionOffsetsSchema, { offsets: { 0: 7n, 3: 9n } })
    expect(of({ case: 'offsets', value: offsets })).toEqual({
      kind: 'OFFSETS',
      offsets: new Map([
        [0, 7],
        [3, 9],
      ]),
    })
  })
})

describe('startOffset', () => {
  test('is the oldest or the next record', () => {
    expect(offsetBy({ kind: 'EARLIEST' })).toBe(100)
    expect(offsetBy({ kind: 'LATEST' })).toBe(200)
  })

  test('is the first record of a time, or the next one when all are older', () => {
    expect(offsetBy({ kind: 'TIME', timeMs: 1 }, [[0, 150]])).toBe(150)
    expect(offsetBy({ kind: 'TIME', timeMs: 1 })).toBe(200)
  })

  test('is the offset that was given, unless Kafka has not come so far; others begin with the oldest', () => {
    expect(offsetBy({ kind: 'OFFSETS', offsets: new Map([[0, 150]]) })).toBe(150)
    // Kafka no longer has it: the worker says what is missing.
    expect(offsetBy({ kind: 'OFFSETS', offsets: new Map([[0, 50]]) })).toBe(50)
    expect(offsetBy({ kind: 'OFFSETS', offsets: new Map([[0, 500]]) })).toBe(200)
    expect(offsetBy({ kind: 'OFFSETS', offsets: new Map([[1, 150]]) })).toBe(100)
  })

  test('is not made up when Kafka does not tell', () => {
    expect(() => startOffset({ kind: 'EARLIEST' }, 1, ends, new Map())).toThrow(/partition 1/)
  })
})
