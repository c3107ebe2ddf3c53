import { expect, test } from 'vitest'
import { fieldLimits, readLimits, withLimits } from './limits.ts'

test('everything that a request can hold has a maximum', () => {
  const without = fieldLimits().filter(({ limit }) => limit === undefined)
  expect(without.map(({ message, field }) => `${message}.${field}`)).toEqual([])
  expect(fieldLimits().length).toBeGreaterThan(100)
})

test('docs/limits.md says what the contract and the settings say; npm run readme writes it', async () => {
  const page = await readLimits()
  expect(page.match(/<!-- end -->/g)).toHaveLength(3)
  expect(withLimits(page)).toBe(page)
})
