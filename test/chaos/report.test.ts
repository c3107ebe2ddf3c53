import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { withSection } from './report.ts'

const document = 'a\n<!-- chaos: random -->\nold\n<!-- end -->\nb\n<!-- chaos: scenarios -->\n<!-- end -->\nc\n'

test('a run replaces its own section and nothing else', () => {
  expect(withSection(document, 'random', 'new')).toBe(document.replace('old\n', '\nnew\n\n'))
  expect(withSection(document, 'scenarios', '$1')).toBe(document.replace('scenarios -->\n', 'scenarios -->\n\n$1\n\n'))
})

test('a document without the section is an error', () => {
  expect(() => withSection(document, 'mutations', 'x')).toThrow('no "<!-- chaos: mutations -->"')
})

test('docs/reliability.md has every section', () => {
  const reliability = readFileSync(new URL('../../docs/reliability.md', import.meta.url), 'utf8')
  for (const section of ['scenarios', 'random', 'soak', 'mutations'])
    expect(withSection(reliability, section, 'x')).toContain('\nx\n')
})
