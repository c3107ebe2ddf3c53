import { expect, test } from 'vitest'
import { RateWindow } from './rate-window.ts'

test('the rate is that of the last seconds, not of the whole run', () => {
  const window = new RateWindow(5_000)
  for (let second = 0; second <= 10; second++) window.add(second * 1000, second * 1_000)
  expect(window.perSecond()).toBe(1_000)
  for (let second = 11; second <= 16; second++) window.add(second * 1000, 10_000)
  expect(window.perSecond()).toBe(0)
})

test('there is no rate before there are two samples', () => {
  const window = new RateWindow(5_000)
  expect(window.perSecond()).toBe(0)
  window.add(0, 500)
  expect(window.perSecond()).toBe(0)
})
