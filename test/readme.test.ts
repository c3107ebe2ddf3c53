import { expect, test } from 'vitest'
import { readReadme, withSettings } from './readme.ts'

test("the README's tables of settings are what the processes read; npm run readme writes them", async () => {
  const readme = await readReadme()
  expect(readme.match(/<!-- end -->/g)).toHaveLength(2)
  expect(withSettings(readme)).toBe(readme)
})
