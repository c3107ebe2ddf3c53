import { expect, test } from 'vitest'
import { readAccessPage, withMethods } from './access-table.ts'
import { readReadme, withSettings } from './readme.ts'

test("the README's tables of settings are what the processes read; npm run readme writes them", async () => {
  const readme = await readReadme()
  expect(readme.match(/<!-- end -->/g)).toHaveLength(2)
  expect(withSettings(readme)).toBe(readme)
})

test('docs/access.md says of every method who may call it; npm run readme writes it', async () => {
  const page = await readAccessPage()
  expect(page.match(/<!-- end -->/g)).toHaveLength(1)
  expect(await withMethods(page)).toBe(page)
})
