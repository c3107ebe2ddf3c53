import { describe, expect, test } from 'vitest'
import { Outcome, Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { sampleRoute } from './sample-route.ts'
import { judge } from './verdict.ts'

const { plan } = sampleRoute('UNORDERED')
const failed = (attempts: number, speaksOfRecord = false, status = 503) => ({
  ...{ attempts, firstMs: 1000, nowMs: 5000, retryAfterMs: undefined, random: 0.5, status, speaksOfRecord },
})
const exhausted = failed(4)

describe('a delivery whose attempt did not succeed', () => {
  test('waits by the policy while that goes on, and costs nothing', () => {
    const verdict = judge(plan, 'RETRYABLE', Reason.TIMEOUT, failed(1), 0)
    expect(verdict).toEqual({ outcome: Outcome.RETRY, reason: Reason.TIMEOUT, state: 'P', dueMs: 5200, credit: 0 })
  })

  test('waits no longer than it must when Ferry has aborted it, and costs nothing', () => {
    const verdict = judge(plan, 'ABORTED', Reason.ABORTED, exhausted, 7)
    expect(verdict).toEqual({ outcome: Outcome.RETRY, reason: Reason.ABORTED, state: 'P', dueMs: 5000, credit: 7 })
  })

  test('fails when the policy is exhausted and giving up is paid for', () => {
    const verdict = judge(plan, 'RETRYABLE', Reason.RETRYABLE_STATUS, exhausted, 12)
    expect(verdict).toEqual({
      outcome: Outcome.FAILED,
      reason: Reason.MAX_RETRIES_REACHED,
      state: undefined,
      dueMs: 0,
      credit: 2,
    })
  })

  test('goes on waiting when nothing pays for giving up, by the reason of its last attempt', () => {
    const verdict = judge(plan, 'RETRYABLE', Reason.RETRYABLE_STATUS, exhausted, 9)
    expect(verdict).toEqual({ outcome: Outcome.RETRY, reason: Reason.RETRYABLE_STATUS, state: 'X', dueMs: 6000, credit: 9 })
  })

  test('fails at once by a final answer, which is cheap when it speaks of the record', () => {
    const final = (speaksOfRecord: boolean, credit: number) =>
      judge(plan, 'FINAL', Reason.NON_RETRYABLE_STATUS, failed(1, speaksOfRecord), credit)
    expect(final(true, 1)).toMatchObject({ outcome: Outcome.FAILED, reason: Reason.NON_RETRYABLE_STATUS, credit: 0 })
    expect(final(true, 0)).toMatchObject({ outcome: Outcome.RETRY, state: 'X', credit: 0 })
    expect(final(false, 9)).toMatchObject({ outcome: Outcome.RETRY, reason: Reason.NON_RETRYABLE_STATUS, state: 'X', credit: 9 })
  })

  test('always fails when giving up need not be paid for', () => {
    const verdict = judge({ ...plan, giveUpFunded: false }, 'RETRYABLE', Reason.TIMEOUT, exhausted, 0)
    expect(verdict).toMatchObject({ outcome: Outcome.FAILED, credit: 0 })
  })

  test('waits by the rule of its status, and fails by the fewer of the retries', () => {
    const statusPlans = new Map([[409, { ...plan.retry, scheduleMs: [700], maximumMs: 700, maxRetries: 1 }]])
    const verdict = (attempts: number, status: number) =>
      judge({ ...plan, statusPlans }, 'RETRYABLE', Reason.RETRYABLE_STATUS, failed(attempts, true, status), 99)
    expect(verdict(1, 409)).toMatchObject({ outcome: Outcome.RETRY, dueMs: 5700 })
    expect(verdict(2, 409)).toMatchObject({ outcome: Outcome.FAILED, reason: Reason.MAX_RETRIES_REACHED })
    expect(verdict(2, 503)).toMatchObject({ outcome: Outcome.RETRY, dueMs: 5400 })
  })

  test('fails by the reason that a final answer has', () => {
    const verdict = judge(plan, 'FINAL', Reason.ANSWER, failed(1, true), 1)
    expect(verdict).toMatchObject({ outcome: Outcome.FAILED, reason: Reason.ANSWER, credit: 0 })
  })

  test('waits for an operator in place of failing when the policy blocks, and costs nothing', () => {
    const rules = { ...plan, blocks: true }
    const verdict = judge(rules, 'RETRYABLE', Reason.TIMEOUT, exhausted, 99)
    expect(verdict).toEqual({ outcome: Outcome.RETRY, reason: Reason.MAX_RETRIES_REACHED, state: 'H', dueMs: 0, credit: 99 })
    expect(judge(rules, 'FINAL', Reason.NON_RETRYABLE_STATUS, failed(1), 0)).toMatchObject({ state: 'H' })
    expect(judge(rules, 'RETRYABLE', Reason.TIMEOUT, failed(1), 0)).toMatchObject({ state: 'P' })
  })

  test('is on its way to the dead-letter topic in place of failing, and pays as if it failed', () => {
    const verdict = judge({ ...plan, deadLetterTopic: 'dead' }, 'RETRYABLE', Reason.TIMEOUT, exhausted, 12)
    expect(verdict).toEqual({ outcome: Outcome.RETRY, reason: Reason.MAX_RETRIES_REACHED, state: 'D', dueMs: 0, credit: 2 })
    expect(judge({ ...plan, deadLetterTopic: 'dead' }, 'RETRYABLE', Reason.TIMEOUT, exhausted, 9)).toMatchObject({ state: 'X' })
  })
})
