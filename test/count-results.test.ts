import { expect, test } from 'vitest'
import { countResults, type VitestReport } from './count-results.ts'

const file = (status: string, ...tests: string[]): VitestReport['testResults'][number] => ({
  status,
  assertionResults: tests.map((each) => ({ status: each })),
})

const report = (...testResults: VitestReport['testResults']): VitestReport => {
  const tests = testResults.flatMap((each) => each.assertionResults)
  const count = (status: string): number => tests.filter((each) => each.status === status).length
  return { numPassedTests: count('passed'), numFailedTests: count('failed'), testResults }
}

test('passed and failed tests are counted, skipped ones are not', () => {
  const run = report(file('passed', 'passed', 'passed', 'skipped'), file('failed', 'passed', 'failed', 'failed'))
  expect(countResults(run, 1)).toEqual({ passed: 3, failed: 2 })
})

test('a file that cannot be loaded and one whose hook throws are a failed test each', () => {
  expect(countResults(report(file('failed'), file('failed', 'skipped'), file('passed', 'passed')), 1)).toEqual({
    passed: 1,
    failed: 2,
  })
})

test('a run that passed all its tests and still ended with an error has failed', () => {
  expect(countResults(report(file('passed', 'passed')), 1)).toEqual({ passed: 1, failed: 1 })
})

test('a run without a report, or without a test, has failed', () => {
  expect(countResults(undefined, 0)).toEqual({ passed: 0, failed: 1 })
  expect(countResults(report(), 0)).toEqual({ passed: 0, failed: 1 })
  expect(countResults(report(file('passed', 'skipped')), 0)).toEqual({ passed: 0, failed: 1 })
})

test('a run where all is well has no failure', () => {
  expect(countResults(report(file('passed', 'passed')), 0)).toEqual({ passed: 1, failed: 0 })
})
