import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalStatuses, effectiveRetryable, effectiveSuccess, statusesOf } from './status-ranges.ts'

const status = fc.integer({ min: 200, max: 599 })
const range = fc
  .tuple(status, status, fc.boolean())
  .map(([a, b, excluded]) => `${excluded ? '!' : ''}${a === b ? a : `${Math.min(a, b)}-${Math.max(a, b)}`}`)
const ranges = fc.array(range, { maxLength: 8 })

describe('lists of statuses', () => {
  test('the canonical list names the same statuses as the list', () => {
    fc.assert(
      fc.property(ranges, (list) => {
        expect(statusesOf(canonicalStatuses(list))).toEqual(new Set([...statusesOf(list)].sort()))
      }),
    )
  })

  test('order does not matter', () => {
    fc.assert(
      fc.property(ranges, (list) => {
        expect(canonicalStatuses([...list].reverse())).toEqual(canonicalStatuses(list))
      }),
    )
  })

  test('an exclusion takes away, wherever it stands', () => {
    expect(canonicalStatuses(['!501', '500-503'])).toEqual(['500', '502-503'])
  })

  test('nothing asked means the defaults of the contract', () => {
    expect(effectiveSuccess([])).toEqual(['200-299'])
    expect(effectiveRetryable([])).toEqual(['408', '425', '429', '500', '502-599'])
  })

  test('a retryable list of nothing but exclusions takes them from the default', () => {
    expect(effectiveRetryable(['!429'])).toEqual(['408', '425', '500', '502-599'])
  })
})
