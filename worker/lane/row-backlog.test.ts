import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RowBacklog } from './row-backlog.ts'

test('with every row durable the answer is now', () => {
  const backlog = new RowBacklog()
  expect(backlog.ask(1000)).toBe(1000)
  backlog.add()
  backlog.remove()
  expect(backlog.ask(2000)).toBe(2000)
})

test('while a row waits the answer stays before it, however long that lasts, and moves on with what becomes durable', () => {
  const backlog = new RowBacklog()
  backlog.ask(1000)
  backlog.add()
  expect(backlog.ask(2000)).toBe(1000)
  backlog.add()
  expect(backlog.ask(600_000)).toBe(1000)
  expect(backlog.ask(700_000)).toBe(1000)
  backlog.remove()
  expect(backlog.ask(700_001)).toBe(2000)
  backlog.remove()
  expect(backlog.ask(700_002)).toBe(700_002)
})

test('a clock that is set back takes the answer along', () => {
  const backlog = new RowBacklog()
  backlog.ask(3_600_000)
  backlog.add()
  expect(backlog.ask(1000)).toBe(1000)
})

test('no row that is not durable was added before the answer, and marks are no more than rows that wait and one', () => {
  const steps = fc.array(fc.constantFrom('add', 'remove', 'ask'), { maxLength: 200 })
  fc.assert(
    fc.property(steps, (story) => {
      const backlog = new RowBacklog()
      const waiting: number[] = []
      for (const [nowMs, step] of story.entries()) {
        if (step === 'add') {
          backlog.add()
          waiting.push(nowMs)
        } else if (step === 'remove' && waiting.length > 0) {
          backlog.remove()
          waiting.shift()
        } else if (step === 'ask') {
          const sinceMs = backlog.ask(nowMs)
          expect(sinceMs).toBeLessThanOrEqual(waiting[0] ?? nowMs)
          expect(backlog.marks.length).toBeLessThanOrEqual(waiting.length)
        }
      }
    }),
  )
})
