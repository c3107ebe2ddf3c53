import { expect, test } from 'vitest'
import { childName, shortChildName, shortName, useCaseName } from './names.ts'

test('a use case is named by its id in a namespace, by both, or whole', () => {
  const whole = 'namespaces/shop/useCases/orders'
  expect(useCaseName('orders', 'shop')).toBe(whole)
  expect(useCaseName('shop/orders', 'crm')).toBe(whole)
  expect(useCaseName(whole, undefined)).toBe(whole)
  expect(shortName(whole)).toBe('shop/orders')
})

test('a name without a namespace says how to give one', () => {
  expect(() => useCaseName('orders', undefined)).toThrow('says no namespace')
  expect(() => useCaseName('orders', 'Shop')).toThrow('"Shop" is no namespace')
  for (const wrong of ['', 'Orders', 'a/b/c', 'shop/', '/orders', '../x'])
    expect(() => useCaseName(wrong, 'shop'), wrong).toThrow('is no name')
})

test('a batch is named as the list shows it, or whole', () => {
  const whole = 'namespaces/shop/useCases/orders/retryBatches/rb-1-a'
  expect(childName('retryBatches', 'shop/orders/rb-1-a', undefined)).toBe(whole)
  expect(childName('retryBatches', 'orders/rb-1-a', 'shop')).toBe(whole)
  expect(childName('retryBatches', whole, undefined)).toBe(whole)
  expect(shortChildName(whole)).toBe('shop/orders/rb-1-a')
  expect(() => childName('retryBatches', 'rb-1-a', 'shop')).toThrow('is no name of a batch')
})
