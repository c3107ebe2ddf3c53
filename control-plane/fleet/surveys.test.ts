import { expect, test, vi } from 'vitest'
import { Calls } from '../../runtime/metrics/calls.ts'
import { Surveys, type SurveysOptions } from './surveys.ts'
import type { ViewedUseCase } from './use-case-view.ts'

const useCase = (uid: string, cluster: string): ViewedUseCase =>
  ({ uid, cluster, name: uid, topic: 't', group: 'g', state: 'ACTIVE', revision: 1 }) as unknown as ViewedUseCase

test('a Kafka cluster that does not answer holds up no survey of another, and is asked once at a time itself', async () => {
  let asked = 0
  let nowMs = 0
  const away = Promise.withResolvers<undefined>()
  const partitions = (cluster: string): Promise<undefined> => {
    if (cluster !== 'away') return Promise.resolve(undefined)
    asked++
    return away.promise
  }
  const surveys = new Surveys({
    ...{ source: { partitions }, known: () => new Set(), onFound: () => {}, intervalMs: 1000, monotonicMs: () => nowMs },
    tally: { surveys: new Calls() },
    log: { warn: () => {}, info: () => {}, error: () => {} },
  } as unknown as SurveysOptions)
  const useCases = new Map([useCase('a', 'away'), useCase('b', 'here')].map((each) => [each.uid, each]))
  surveys.start(useCases)
  await vi.waitFor(() => expect(surveys.problemOf('b')?.message).toMatch(/there is no topic t in Kafka cluster here/))
  nowMs = 5000
  surveys.start(useCases)
  expect(asked).toBe(1)
  expect(surveys.problemOf('a')).toBeUndefined()
  away.resolve(undefined)
  await surveys.idle()
  expect(surveys.problemOf('a')?.message).toMatch(/there is no topic t in Kafka cluster away/)
})
