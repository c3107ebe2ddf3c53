import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Column, table } from './table.ts'
import { cut, textWidth } from './text-width.ts'

type Row = { readonly name: string; readonly count: string; readonly more: string }
const columns: Column<Row>[] = [
  { title: 'NAME', of: ({ name }) => name, shrinkTo: 4 },
  { title: 'COUNT', of: ({ count }) => count, right: true },
  { title: 'MORE', of: ({ more }) => more, shrinkTo: 6 },
]

test('columns stand under their titles, numbers at the right, and an empty column is left out', () => {
  const rows = [
    { name: 'a', count: '1', more: '' },
    { name: 'long', count: '1,000', more: '' },
  ]
  expect(table(columns, rows, undefined)).toBe('NAME  COUNT\na         1\nlong  1,000\n')
})

test('a line is never wider than the terminal as long as columns can give way', () => {
  const text = fc.string({ unit: 'grapheme-ascii', maxLength: 60 })
  fc.assert(
    fc.property(
      fc.array(fc.record({ name: text, count: fc.nat().map(String), more: text }), { minLength: 1 }),
      fc.integer({ min: 26, max: 120 }),
      (rows, width) => {
        for (const line of table(columns, rows, width).trimEnd().split('\n')) expect(textWidth(line)).toBeLessThanOrEqual(width)
      },
    ),
  )
})

test('wide characters count for two, combining ones for none', () => {
  expect([textWidth('ab'), textWidth('日本'), textWidth('e\u0301'), textWidth('\u001b[31mred\u001b[39m')]).toEqual([2, 4, 1, 3])
  expect(cut('日本語', 5)).toBe('日本…')
  expect(cut('abc', 3)).toBe('abc')
})
