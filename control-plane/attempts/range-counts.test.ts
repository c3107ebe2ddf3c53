import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Run } from '../../runtime/lane-keys.ts'
import { addCounts, countRange, type OutcomeRun, type RangeFacts, type RangeRun } from './range-counts.ts'

const size = 40
const outcomes = ['DELIVERED', 'FAILED', 'SKIPPED', 'SUPERSEDED'] as const

const kinds = ['FILTERED', 'TOMBSTONE', 'OPERATOR', 'COMPACTED', 'TRANSACTION', 'RETENTION'] as const
const skipKinds: readonly string[] = kinds.slice(0, 3)

/** Each offset has at most one outcome, given as runs of one. */
const outcomeRuns = fc
  .array(fc.option(fc.tuple(fc.constantFrom(...outcomes), fc.constantFrom('UNSPECIFIED', 'TIMEOUT'))), {
    minLength: size,
    maxLength: size,
  })
  .map((list) =>
    list.flatMap((given, offset): OutcomeRun[] =>
      given ? [{ outcome: given[0], reason: given[1], first: offset, last: offset, repeated: offset % 2 }] : [],
    ),
  )
const ranges = fc.array(
  fc.record({ first: fc.nat(size), length: fc.nat(8), kind: fc.constantFrom(...kinds) }).map(
    ({ first, length, kind }): RangeRun => ({
      first,
      last: first + length,
      kind,
      reason: kind === 'OPERATOR' ? 'DELETED' : '',
    }),
  ),
  { maxLength: 8 },
)
const facts: fc.Arbitrary<RangeFacts> = fc.record({
  from: fc.nat(size),
  to: fc.nat(size),
  outcomes: outcomeRuns,
  ranges,
  floor: fc.option(fc.nat(size + 5), { nil: undefined }),
  expiredBelow: fc.oneof(fc.constant(0), fc.nat(size)),
})

const holds = (list: readonly Run[], offset: number): boolean => list.some(({ first, last }) => first <= offset && offset <= last)

/** The same, offset by offset. */
function countOneByOne({ from, to, outcomes, ranges, floor, expiredBelow }: RangeFacts) {
  const counts = { delivered: 0, failed: 0, skipped: 0, superseded: 0, holes: 0, missing: 0, expired: 0, onTheWay: 0 }
  const skipped = ranges.filter(({ kind }) => skipKinds.includes(kind))
  for (let offset = from; offset < to; offset++) {
    const outcome = outcomes.find((run) => run.first === offset)?.outcome
    if (outcome) counts[outcome.toLowerCase() as 'delivered']++
    else if (holds(skipped, offset)) counts.skipped++
    else if (holds(ranges, offset)) counts.holes++
    else if (floor !== undefined && offset < floor) counts[offset < expiredBelow ? 'expired' : 'missing']++
    else counts.onTheWay++
  }
  return counts
}

const sumOf = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((sum, count) => sum + count, 0)

test('every offset of a range is counted once, as one would count by hand', () => {
  fc.assert(
    fc.property(facts, (given) => {
      const { counts, missing } = countRange(given)
      const { delivered, failed, skipped, superseded, holes, expired, onTheWay } = counts
      const ended = { delivered, failed, skipped, superseded }
      expect({ ...ended, holes, missing: counts.missing, expired, onTheWay }).toEqual(countOneByOne(given))
      expect(sumOf(counts.outcomeCounts)).toBe(delivered + failed + skipped + superseded)
      expect(sumOf(counts.holeCounts)).toBe(holes)
      expect(counts.offsets).toBe(Math.max(0, given.to - given.from))
      expect(counts.published + counts.holes).toBe(counts.offsets)
      expect(delivered + failed + skipped + superseded + onTheWay + expired + counts.missing).toBe(counts.published)
      expect(missing.reduce((sum, { first, last }) => sum + last - first + 1, 0)).toBe(counts.missing)
    }),
  )
})

test('outcomes and skips are counted by reason, holes by kind, each offset for one of them', () => {
  const run = (first: number, last: number, kind: string, reason = ''): RangeRun => ({ first, last, kind, reason })
  const { counts } = countRange({
    ...{ from: 0, to: 20, floor: 20, expiredBelow: 0 },
    outcomes: [
      { first: 0, last: 3, outcome: 'DELIVERED', reason: 'UNSPECIFIED', repeated: 0 },
      { first: 4, last: 4, outcome: 'FAILED', reason: 'TIMEOUT', repeated: 0 },
      { first: 5, last: 5, outcome: 'SKIPPED', reason: 'OPERATOR', repeated: 0 },
    ],
    ranges: [run(3, 6, 'FILTERED'), run(7, 7, 'OPERATOR', 'DELETED'), run(6, 9, 'COMPACTED'), run(10, 19, 'TRANSACTION')],
  })
  expect(Object.fromEntries(counts.outcomeCounts)).toEqual({
    ...{ 'DELIVERED UNSPECIFIED': 4, 'FAILED TIMEOUT': 1, 'SKIPPED OPERATOR': 1, 'SKIPPED FILTERED': 1, 'SKIPPED DELETED': 1 },
  })
  expect(Object.fromEntries(counts.holeCounts)).toEqual({ COMPACTED: 2, TRANSACTION: 10 })
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
