import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pageOf } from './page.ts'
import { UseCaseError } from './use-case-error.ts'

test('walking the pages answers every name once, in order, also when names come and go', () => {
  const names = fc.uniqueArray(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }))
  fc.assert(
    fc.property(names, names, fc.integer({ min: 1, max: 5 }), (kept, passing, size) => {
      const seen: string[] = []
      let token = ''
      for (let turn = 0; ; turn++) {
        const now = turn % 2 === 0 ? [...new Set([...kept, ...passing])] : kept
        const page = pageOf(now.sort(), '', size, token)
        seen.push(...page.items)
        token = page.nextPageToken
        if (token === '') break
      }
      expect(seen).toEqual([...new Set(seen)].sort())
      expect(seen).toEqual(expect.arrayContaining([...kept]))
    }),
  )
})

test('no size means a hundred', () => {
  const names = Array.from({ length: 150 }, (_, index) => String(index)).sort()
  expect(pageOf(names, '', 0, '').items.length).toBe(100)
})

test('a token of another list, and what is no token, are refused', () => {
  const token = pageOf(['a', 'b'], 'namespaces/x', 1, '').nextPageToken
  expect(pageOf(['a', 'b'], 'namespaces/x', 1, token).items).toEqual(['b'])
  expect(() => pageOf(['a', 'b'], '', 1, token)).toThrow(UseCaseError)
  expect(() => pageOf(['a', 'b'], '', 1, 'nonsense')).toThrow(UseCaseError)
})
