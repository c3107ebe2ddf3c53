import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Run } from '../../runtime/lane-keys.ts'
import { clip, countOffsets, subtract, toRuns } from './runs.ts'

const given = fc.array(
  fc
    .record({ first: fc.nat(60), length: fc.integer({ min: 0, max: 12 }) })
    .map(({ first, length }) => ({ first, last: first + length - 1 })),
  { maxLength: 12 },
)

const offsetsOf = (runs: readonly Run[]): Set<number> => {
  const offsets = new Set<number>()
  for (const { first, last } of runs) for (let offset = first; offset <= last; offset++) offsets.add(offset)
  return offsets
}

/** The one list of runs that a set of offsets has. */
const runsOf = (offsets: Set<number>): Run[] => {
  const runs: { first: number; last: number }[] = []
  for (const offset of [...offsets].sort((a, b) => a - b)) {
    const before = runs.at(-1)
    if (before?.last === offset - 1) before.last = offset
    else runs.push({ first: offset, last: offset })
  }
  return runs
}

test('runs in any order become the one rising list of the same offsets', () => {
  fc.assert(
    fc.property(given, (runs) => {
      expect(toRuns(runs)).toEqual(runsOf(offsetsOf(runs)))
    }),
  )
})

test('subtract leaves what is in the first and not in the second', () => {
  fc.assert(
    fc.property(given, given, (a, b) => {
      const inB = offsetsOf(b)
      const rest = new Set([...offsetsOf(a)].filter((offset) => !inB.has(offset)))
      expect(subtract(toRuns(a), toRuns(b))).toEqual(runsOf(rest))
    }),
  )
})

test('clip leaves what is within the bounds', () => {
  fc.assert(
    fc.property(given, fc.nat(70), fc.nat(70), (runs, from, to) => {
      const within = new Set([...offsetsOf(runs)].filter((offset) => offset >= from && offset < to))
      expect(clip(toRuns(runs), from, to)).toEqual(runsOf(within))
    }),
  )
})

test('countOffsets counts every offset once', () => {
  fc.assert(
    fc.property(given, (runs) => {
      expect(countOffsets(toRuns(runs))).toBe(offsetsOf(runs).size)
    }),
  )
})
