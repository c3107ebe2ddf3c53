import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Run } from '../../runtime/lane-keys.ts'
import { addCounts, countRange, type OutcomeRun, type RangeFacts } from './range-counts.ts'

const size = 40
const outcomes = ['DELIVERED', 'FAILED', 'SKIPPED', 'SUPERSEDED'] as const

/** Each offset has at most one outcome, given as runs of one. */
const outcomeRuns = fc
  .array(fc.option(fc.constantFrom(...outcomes)), { minLength: size, maxLength: size })
  .map((list) =>
    list.flatMap((outcome, offset): OutcomeRun[] =>
      outcome ? [{ outcome, first: offset, last: offset, repeated: offset % 2 }] : [],
    ),
  )
const runs = fc.array(
  fc.record({ first: fc.nat(size), length: fc.nat(8) }).map(({ first, length }) => ({ first, last: first + length })),
  { maxLength: 4 },
)
const facts: fc.Arbitrary<RangeFacts> = fc.record({
  from: fc.nat(size),
  to: fc.nat(size),
  outcomes: outcomeRuns,
  skipped: runs,
  holes: runs,
  floor: fc.option(fc.nat(size + 5), { nil: undefined }),
})

const holds = (list: readonly Run[], offset: number): boolean => list.some(({ first, last }) => first <= offset && offset <= last)

/** The same, offset by offset. */
function countOneByOne({ from, to, outcomes, skipped, holes, floor }: RangeFacts) {
  const counts = { delivered: 0, failed: 0, skipped: 0, superseded: 0, holes: 0, missing: 0, onTheWay: 0 }
  for (let offset = from; offset < to; offset++) {
    const outcome = outcomes.find((run) => run.first === offset)?.outcome
    if (outcome) counts[outcome.toLowerCase() as 'delivered']++
    else if (holds(skipped, offset)) counts.skipped++
    else if (holds(holes, offset)) counts.holes++
    else if (floor !== undefined && offset < floor) counts.missing++
    else counts.onTheWay++
  }
  return counts
}

test('every offset of a range is counted once, as one would count by hand', () => {
  fc.assert(
    fc.property(facts, (given) => {
      const { counts, missing } = countRange(given)
      const { delivered, failed, skipped, superseded, holes, onTheWay } = counts
      expect({ delivered, failed, skipped, superseded, holes, missing: counts.missing, onTheWay }).toEqual(countOneByOne(given))
      expect(counts.offsets).toBe(Math.max(0, given.to - given.from))
      expect(counts.published + counts.holes).toBe(counts.offsets)
      expect(delivered + failed + skipped + superseded + onTheWay + counts.missing).toBe(counts.published)
      expect(missing.reduce((sum, { first, last }) => sum + last - first + 1, 0)).toBe(counts.missing)
    }),
  )
})

test('a range counted in two pieces is the same as counted in one', () => {
  fc.assert(
    fc.property(facts, fc.nat(size), (given, cut) => {
      const middle = Math.min(Math.max(given.from, cut), Math.max(given.from, given.to))
      const whole = countRange({ ...given, outcomes: given.outcomes.map((run) => ({ ...run, repeated: 0 })) })
      const pieces = [{ to: middle }, { from: middle }].map(
        (piece) => countRange({ ...given, ...piece, outcomes: given.outcomes.map((run) => ({ ...run, repeated: 0 })) }).counts,
      )
      expect(addCounts(pieces[0]!, pieces[1]!)).toEqual(whole.counts)
    }),
  )
})
