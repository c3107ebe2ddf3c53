import { expect, test } from 'vitest'
import { parseArguments, usage } from './demo-arguments.ts'

test('without arguments a run has the default number of rows, for people, and cleans up', () => {
  const { rows, json, keep } = parseArguments([])!
  expect(rows).toBeGreaterThanOrEqual(200_000)
  expect([json, keep]).toEqual([false, false])
})

test('all arguments can be given together, in any order and both ways', () => {
  const all = { rows: 20_000, json: true, keep: true }
  expect(parseArguments(['--rows', '20000', '--json', '--keep'])).toEqual(all)
  expect(parseArguments(['--keep', '--json', '--rows=20000'])).toEqual(all)
})

test('what is not understood is refused, and named', () => {
  expect(() => parseArguments(['--row', '5'])).toThrow('--row')
  expect(() => parseArguments(['5000'])).toThrow('5000')
  for (const rows of [['--rows'], ['--rows', '-1'], ['--rows', '1e6'], ['--rows', '999'], ['--rows=10000001']]) {
    expect(() => parseArguments(rows)).toThrow('--rows must be a whole number')
  }
})

test('the usage text names every argument', () => {
  expect(parseArguments(['--rows', '5000', '--help'])).toBeUndefined()
  for (const argument of ['--rows', '--json', '--keep', '--help']) expect(usage).toContain(argument)
})
