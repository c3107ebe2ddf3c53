import fc from 'fast-check'
import { expect, test } from 'vitest'
import { earnCredit, payGiveUp, startCredit } from './credit.ts'

const creditMax = fc.integer({ min: 10, max: 100 })

test('a lane without saved credit starts full; a smaller share cuts what was saved', () => {
  expect(startCredit(undefined, 100)).toBe(100)
  expect(startCredit(37, 100)).toBe(37)
  expect(startCredit(90, 50)).toBe(50)
  expect(startCredit(0, 50)).toBe(0)
})

test('an outage fails only what the full credit pays for, however long it is', () => {
  fc.assert(
    fc.property(creditMax, fc.integer({ min: 1, max: 1000 }), (max, tries) => {
      let credit = startCredit(undefined, max)
      let failed = 0
      for (let i = 0; i < tries; i++) {
        const rest = payGiveUp(credit, false)
        if (rest >= 0) {
          credit = rest
          failed++
        }
      }
      expect(failed).toBe(Math.min(tries, Math.floor(max / 10)))
    }),
  )
})

test('ten poison records between successes never wait', () => {
  fc.assert(
    fc.property(creditMax, fc.array(fc.integer({ min: 0, max: 10 }), { maxLength: 50 }), (max, poisonRuns) => {
      let credit = 0
      for (const poison of poisonRuns) {
        credit = earnCredit(credit, max)
        for (let i = 0; i < poison; i++) {
          credit = payGiveUp(credit, true)
          expect(credit).toBeGreaterThanOrEqual(0)
        }
      }
    }),
  )
})

test('credit stays between 0 and its maximum, and what is given up is never more than what was earned', () => {
  const step = fc.constantFrom('success', 'failure', 'poison')
  fc.assert(
    fc.property(creditMax, fc.array(step, { maxLength: 300 }), (max, steps) => {
      let credit = startCredit(undefined, max)
      let successes = 0
      let spent = 0
      for (const each of steps) {
        if (each === 'success') {
          credit = earnCredit(credit, max)
          successes++
          continue
        }
        const rest = payGiveUp(credit, each === 'poison')
        if (rest < 0) {
          expect(credit).toBeLessThan(each === 'poison' ? 1 : 10)
          continue
        }
        spent += credit - rest
        credit = rest
        expect(credit).toBeLessThanOrEqual(max)
      }
      expect(spent).toBeLessThanOrEqual(max + 10 * successes)
    }),
  )
})
