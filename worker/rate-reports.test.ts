import { expect, test } from 'vitest'
import { RateReports } from './rate-reports.ts'

test('a use case that waits is said once in ten minutes', () => {
  const said: unknown[] = []
  const reports = new RateReports({ info: (fields: object) => said.push(fields) } as never)
  for (let nowMs = 0; nowMs < 1_200_000; nowMs += 100) reports.waits('one', 'five a second', nowMs)
  reports.waits('two', 'six a second', 5)
  expect(said).toEqual([
    { useCase: 'one', limit: 'five a second' },
    { useCase: 'one', limit: 'five a second' },
    { useCase: 'two', limit: 'six a second' },
  ])
})
