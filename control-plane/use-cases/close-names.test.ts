import fc from 'fast-check'
import { expect, test } from 'vitest'
import { closeNames, editDistance } from './close-names.ts'

function plainDistance(left: string, right: string): number {
  if (left === '' || right === '') return left.length + right.length
  const cost = left[0] === right[0] ? 0 : 1
  return Math.min(
    plainDistance(left.slice(1), right) + 1,
    plainDistance(left, right.slice(1)) + 1,
    plainDistance(left.slice(1), right.slice(1)) + cost,
  )
}

test('the banded distance is the plain one, up to its limit', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 6 })
  fc.assert(
    fc.property(word, word, fc.nat({ max: 6 }), (left, right, limit) => {
      expect(editDistance(left, right, limit)).toBe(Math.min(plainDistance(left, right), limit + 1))
    }),
  )
})

test('a typing error and a wrong package are both found, nothing far away is', () => {
  const known = ['acme.orders.v1.Order', 'acme.orders.v1.OrderLine', 'acme.billing.v1.Invoice']
  expect(closeNames('acme.orders.v1.Ordr', known)).toEqual(['acme.orders.v1.Order'])
  expect(closeNames('acme.v2.Invoice', known)).toEqual(['acme.billing.v1.Invoice'])
  expect(closeNames('other.Thing', known)).toEqual([])
})

test('a very large set is compared by last parts only, so that a wrong name costs little', () => {
  const known = Array.from({ length: 20_000 }, (_, index) => `acme.v1.Message${index}`)
  expect(closeNames('Message7', known)).toEqual(['acme.v1.Message7'])
})
