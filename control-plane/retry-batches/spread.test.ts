import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { spread } from './spread.ts'

const counts = fc.array(fc.nat(30), { maxLength: 6 }).map((list) => new Map(list.map((count, partition) => [partition, count])))

/** One at a time, turn by turn. */
function oneByOne(given: ReadonlyMap<number, number>, max: number): Map<number, number> {
  const shares = new Map<number, number>()
  for (let rest = max, turn = 1; rest > 0 && [...given.values()].some((count) => count >= turn); turn++) {
    for (const [partition, count] of given) {
      if (count < turn || rest === 0) continue
      shares.set(partition, turn)
      rest--
    }
  }
  return shares
}

test('items are divided as if each lane gave one in turn', () => {
  fc.assert(
    fc.property(counts, fc.nat(120), (given, max) => {
      expect(spread(given, max)).toEqual(oneByOne(given, max))
    }),
  )
})

test('a hundred million items are divided at once', () => {
  const shares = spread(
    new Map([
      [0, 90_000_000],
      [1, 5],
      [2, 60_000_000],
    ]),
    100_000_000,
  ) // prettier-ignore
  expect(shares).toEqual(
    new Map([
      [0, 49_999_998],
      [1, 5],
      [2, 49_999_997],
    ]),
  ) // prettier-ignore
})
