import { expect, test } from 'vitest'
import { checkFilter } from './check-filter.ts'

test('no filter, and one that can be compiled, are right', () => {
  expect(checkFilter('')).toEqual([])
  expect(checkFilter("value.status == 'paid'")).toEqual([])
})

test('everything that is wrong with a filter is said at once, with its position', () => {
  const violations = checkFilter('valu.a == 1 || value.items.exist(i, true)')
  expect(violations).toEqual([
    {
      field: 'use_case.spec.filter',
      description: expect.stringContaining(
        'at character 1, before "valu.a == 1 || value.items.exist(i, true)": there is no variable valu',
      ),
      reason: 'FILTER_INVALID',
    },
    {
      field: 'use_case.spec.filter',
      description: expect.stringContaining('before ".exist(i, true)": there is no function exist'),
      reason: 'FILTER_INVALID',
    },
    { field: 'use_case.spec.filter', description: expect.stringContaining('there is no variable i'), reason: 'FILTER_INVALID' },
  ])
  expect(checkFilter('value.a ==')).toHaveLength(1)
})
