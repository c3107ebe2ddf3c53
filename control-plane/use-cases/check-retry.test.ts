import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { Jitter, RetryPolicySchema, StatusAction } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { checkRetry } from './check-retry.ts'

const check = (retry: MessageInitShape<typeof RetryPolicySchema>) =>
  checkRetry(create(RetryPolicySchema, retry)).map((each) => [each.field.replace('use_case.spec.retry.', ''), each.reason])
const seconds = (count: number) => durationFromMs(count * 1000)

test('a policy that says nothing, or only what is consistent, is right', () => {
  expect(check({})).toEqual([])
  expect(check({ initialInterval: seconds(5), maximumInterval: seconds(5), maxRetries: 0 })).toEqual([])
  expect(check({ schedule: [seconds(1), seconds(60)], jitterRatio: 0.5, maxElapsedTime: seconds(100) })).toEqual([])
  expect(check({ successStatus: ['200-299', '404'], retryableStatus: ['500-599', '!501'] })).toEqual([])
})

test('a first wait longer than the longest is refused, the longest being asked for or the default', () => {
  expect(check({ initialInterval: seconds(6), maximumInterval: seconds(5) })).toEqual([['initial_interval', 'INTERVAL_ORDER']])
  expect(check({ initialInterval: seconds(7200) })).toEqual([['initial_interval', 'INTERVAL_ORDER']])
  expect(check({ maximumInterval: seconds(1) })).toEqual([])
})

test('a schedule beside what it replaces is refused, field by field', () => {
  const fields = check({ schedule: [seconds(1)], initialInterval: seconds(9999), backoffCoefficient: 2, maxRetries: 1 })
  expect(fields).toEqual([
    ['initial_interval', 'SCHEDULE_EXCLUSIVE'],
    ['backoff_coefficient', 'SCHEDULE_EXCLUSIVE'],
    ['max_retries', 'SCHEDULE_EXCLUSIVE'],
  ])
})

test('a range that runs backwards, and a status that ends no answer, are refused', () => {
  expect(check({ successStatus: ['200', '299-201'] })).toEqual([['success_status[1]', 'STATUS_RANGE']])
  expect(check({ retryableStatus: ['100-199', '!599-500'] })).toEqual([
    ['retryable_status[0]', 'STATUS_RANGE'],
    ['retryable_status[1]', 'STATUS_RANGE'],
  ])
})

test('a retryable status that is a success is refused; a success that is retryable by default is not', () => {
  expect(check({ retryableStatus: ['200'] })).toEqual([['retryable_status', 'STATUS_OVERLAP']])
  expect(check({ successStatus: ['500'], retryableStatus: ['500-599'] })).toEqual([['retryable_status', 'STATUS_OVERLAP']])
  expect(check({ successStatus: ['500'], retryableStatus: ['500-599', '!500'] })).toEqual([])
  expect(check({ successStatus: ['200', '503'] })).toEqual([])
})

test('a jitter that leaves no room for a ratio is refused beside one', () => {
  expect(check({ jitter: Jitter.FULL, jitterRatio: 0.5 })).toEqual([['jitter_ratio', 'JITTER_EXCLUSIVE']])
  expect(check({ jitter: Jitter.SPREAD, jitterRatio: 0.5 })).toEqual([])
  expect(check({ jitter: Jitter.EQUAL })).toEqual([])
})

test('a status with two meanings, a range that runs backwards, and waits for what does not wait are refused', () => {
  const { RETRY, FAIL, PAUSE } = StatusAction
  const statusRules = [
    { status: ['409-420'], action: RETRY, interval: seconds(1), maxRetries: 0 },
    { status: ['500', '410'], action: PAUSE, interval: seconds(1), maxRetries: 3 },
    { status: ['499-450', '150'], action: FAIL },
  ]
  expect(check({ statusRules })).toEqual([
    ['status_rules[1].status', 'STATUS_OVERLAP'],
    ['status_rules[1].interval', 'STATUS_RULE'],
    ['status_rules[1].max_retries', 'STATUS_RULE'],
    ['status_rules[2].status[0]', 'STATUS_RANGE'],
    ['status_rules[2].status[1]', 'STATUS_RANGE'],
  ])
})
