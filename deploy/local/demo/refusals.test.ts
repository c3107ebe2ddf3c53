import { expect, test } from 'vitest'
import { Refusals } from './refusals.ts'

test('about one row in a hundred is refused once with 503, and taken when it comes again', () => {
  const refusals = new Refusals()
  const ids = Array.from({ length: 100_000 }, (_, index) => index + 1)
  const busy = ids.filter((id) => refusals.check(id, 'LAX')?.status === 503)
  expect(busy.length).toBeGreaterThan(900)
  expect(busy.length).toBeLessThan(1_100)
  expect(busy.filter((id) => refusals.check(id, 'LAX') !== undefined)).toEqual([])
})

test('two new services refuse the same rows', () => {
  const statuses = (): (number | undefined)[] => {
    const refusals = new Refusals()
    return Array.from({ length: 1_000 }, (_, id) => refusals.check(id, 'LAX')?.status)
  }
  expect(statuses()).toEqual(statuses())
})

test('a row from an airport that is not known is refused with 422 every time until the fix', () => {
  const refusals = new Refusals()
  const check = () => refusals.check(1, 'ISP')?.status
  expect([check(), check()]).toEqual([422, 422])
  refusals.fix()
  expect(check()).toBeUndefined()
})
