import { expect, test } from 'vitest'
import { RateReports } from './rate-reports.ts'

test('a use case that waits is said once in ten minutes, and all its waiting is counted', () => {
  const said: unknown[] = []
  const reports = new RateReports({ info: (fields: object) => said.push(fields) } as never)
  for (let nowMs = 0; nowMs < 1_200_000; nowMs += 100) reports.waited('one', 'five a second', 100, nowMs)
  reports.waited('two', 'six a second', 50, 5)
  expect(reports.waitedMs).toBe(1_200_050)
  expect(said).toEqual([
    { useCase: 'one', limit: 'five a second' },
    { useCase: 'one', limit: 'five a second' },
    { useCase: 'two', limit: 'six a second' },
  ])
})
