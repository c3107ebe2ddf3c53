import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { decidingRow } from './outcome-rule.ts'

const row = fc.record({
  round: fc.nat(3),
  epoch: fc.nat(3),
  attempt: fc.nat(3),
  outcome: fc.constantFrom('DELIVERED', 'FAILED', 'SKIPPED', 'SUPERSEDED'),
})

/** The rule, read aloud: sort by the three numbers as padded text, look for DELIVERED, else take the last. */
function naive(rows: readonly { round: number; epoch: number; attempt: number; outcome: string }[]): string | undefined {
  const text = (number: number): string => String(number).padStart(5, '0')
  const sorted = rows.map((each) => [[each.round, each.epoch, each.attempt].map(text).join(), each.outcome] as const).sort()
  return sorted.some(([, outcome]) => outcome === 'DELIVERED') ? 'DELIVERED' : sorted.at(-1)?.[1]
}

test('a delivery has the outcome DELIVERED if any row says so, else that of its highest round, epoch and attempt', () => {
  const distinct = fc.uniqueArray(row, { selector: ({ round, epoch, attempt }) => `${round} ${epoch} ${attempt}`, maxLength: 12 })
  fc.assert(
    fc.property(distinct, (rows) => {
      expect(decidingRow(rows)?.outcome).toBe(naive(rows))
    }),
  )
})

test('of several rows that say DELIVERED the highest one decides', () => {
  const low = { round: 0, epoch: 1, attempt: 1, outcome: 'DELIVERED' }
  const high = { round: 1, epoch: 1, attempt: 1, outcome: 'DELIVERED' }
  const failed = { round: 2, epoch: 1, attempt: 1, outcome: 'FAILED' }
  expect(decidingRow([low, high, failed])).toBe(high)
})
