import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Job, JobQueue } from './job-queue.ts'

const job = (text: string, over: Partial<Job> = {}): Job => ({
  ...{ text, done: () => {}, failed: () => {}, deaths: 0, isSuspect: false },
  ...over,
})
const textsOf = (queue: JobQueue): [string, string] | undefined => {
  const batch = queue.take()
  return batch && [batch.expression, batch.jobs.map(({ text }) => text).join()]
}

test('jobs of one expression go together and in their order, so many and so long at most', () => {
  const queue = new JobQueue(3, 10)
  for (const text of ['a', 'b', 'c', 'd', 'e'.repeat(9), 'ff', 'g'.repeat(20), 'h']) queue.add('x', job(text))
  expect([1, 2, 3, 4].map(() => textsOf(queue)?.[1])).toEqual(['a,b,c', `d,${'e'.repeat(9)}`, 'ff', 'g'.repeat(20)])
  expect([textsOf(queue), textsOf(queue), queue.isEmpty]).toEqual([['x', 'h'], undefined, true])
})

test('what comes back is the next of its expression, and a suspect goes alone', () => {
  const queue = new JobQueue(10, 1000)
  for (const text of ['a', 'b', 'c']) queue.add('x', job(text))
  const batch = queue.take()!
  queue.add('x', job('d'))
  queue.putBack(batch, [job('b', { isSuspect: true }), job('c')])
  expect([textsOf(queue), textsOf(queue)]).toEqual([
    ['x', 'b'],
    ['x', 'c,d'],
  ])
})

test('each expression has the same time, whatever one evaluation takes', () => {
  const costs = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 2, maxLength: 5 })
  fc.assert(
    fc.property(costs, (costsMs) => {
      const queue = new JobQueue(1, 1000)
      const spent = costsMs.map(() => 0)
      const turns = 300
      for (const at of costsMs.keys()) for (let left = 0; left < turns; left++) queue.add(String(at), job(''))
      for (let turn = 0; turn < turns; turn++) {
        const { expression } = queue.take()!
        queue.spend(expression, costsMs[Number(expression)]!)
        spent[Number(expression)]! += costsMs[Number(expression)]!
        expect(Math.max(...spent) - Math.min(...spent)).toBeLessThanOrEqual(Math.max(...costsMs))
      }
    }),
    { numRuns: 20 },
  )
})

test('an expression that comes anew gets no time for when it was not there', () => {
  const queue = new JobQueue(1, 1000)
  for (let left = 0; left < 10; left++) queue.add('old', job(''))
  for (let round = 0; round < 5; round++) queue.spend(queue.take()!.expression, 100)
  for (let left = 0; left < 10; left++) queue.add('new', job(''))
  const turns = [1, 2, 3, 4, 5, 6].map(() => {
    const { expression } = queue.take()!
    queue.spend(expression, 100)
    return expression
  })
  expect(turns.filter((each) => each === 'old').length).toBeGreaterThanOrEqual(2)
})
