import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import { StartSteps } from './start-steps.ts'

const log = pino({ level: 'silent' })
const never = (): boolean => false

test('every step is tried until it has succeeded, and what is missing is said meanwhile', async () => {
  let tries = 0
  const { promise: comes, resolve: come } = Promise.withResolvers<void>()
  const steps = new StartSteps(
    [
      {
        name: 'Kafka answers',
        run: async () => {
          if (++tries < 3) throw new Error('connection refused')
        },
      },
      { name: 'Redis answers', run: () => comes },
    ],
    log,
  )
  expect(steps.problems()).toEqual(['Kafka answers: not tried yet', 'Redis answers: not tried yet'])
  const running = steps.run(never)
  await vi.waitFor(() => expect(steps.problems()[0]).toBe('Kafka answers: no (connection refused); trying again'), {
    timeout: 5000,
  })
  await vi.waitFor(() => expect(steps.problems()).toEqual(['Redis answers: not tried yet']), { timeout: 10_000 })
  come()
  await running
  expect(steps.problems()).toEqual([])
  expect(tries).toBe(3)
})

test('what trying again cannot mend is not tried again', async () => {
  const failure = new Error('not the file that was applied')
  const steps = new StartSteps([{ name: 'tables', run: () => Promise.reject(failure) }], log)
  await expect(steps.run((error) => error === failure)).rejects.toBe(failure)
})

test('nothing is tried any more after a stop', async () => {
  let tries = 0
  const steps = new StartSteps(
    [
      {
        name: 'Kafka answers',
        run: async () => {
          tries++
          steps.stop()
          throw new Error('connection refused')
        },
      },
    ],
    log,
  )
  await steps.run(never)
  expect(tries).toBe(1)
})
